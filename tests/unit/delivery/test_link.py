"""Messages between two processes: whole, in order, however the socket parts them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from streamapp.delivery.link import Link


class End:
    """One end of a link, and what came there."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.lost = 0
        self.link = Link(self.heard.append, self._lost)

    def _lost(self) -> None:
        self.lost += 1


async def _linked() -> tuple[End, End]:
    ends = End(), End()
    for end, sock in zip(ends, socket.socketpair(), strict=True):
        await asyncio.get_running_loop().create_connection(lambda end=end: end.link, sock=sock)  # type: ignore[misc]
    return ends


async def _parted(one: End, other: End) -> None:
    one.link.close()
    await _until(lambda: one.lost and other.lost)


async def _until(look: Any) -> None:
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.005)


async def test_both_ways_in_order() -> None:
    """I expect all that is said to arrive once and in order, a few bytes as well as many."""
    one, other = await _linked()
    said = [*range(100), b"x" * 3_000_000, "end"]
    for message in said:
        one.link.say(message)
    other.link.say({"from": "other"})
    await _until(lambda: len(other.heard) == len(said) and one.heard)
    assert other.heard == said
    assert one.heard == [{"from": "other"}]
    one.link.say("the last")
    await asyncio.sleep(0)
    await _parted(one, other)
    assert other.heard[-1] == "the last"


@pytest.mark.parametrize("size", [1, 3, 5, 1000])
async def test_parts_of_frames(size: int) -> None:
    """I expect messages to be put together from whatever pieces the socket gives."""
    frames: list[bytes] = []
    sending = End()
    sending.link.connection_made(_Transport(frames))
    for turn in range(3):
        sending.link.say(("turn", turn))
        sending.link.say("more")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(frames) == 3, "what is said in one turn travels together"
    data = b"".join(frames)
    receiving = End()
    for at in range(0, len(data), size):
        receiving.link.data_received(data[at : at + size])
    assert receiving.heard == [each for turn in range(3) for each in (("turn", turn), "more")]


async def test_the_other_end_goes() -> None:
    """I expect to be told once, and what is said after that to harm nothing."""
    one, other = await _linked()
    assert one.link.open
    other.link._transport.abort()  # type: ignore[union-attr]
    await _until(lambda: one.lost)
    assert (one.lost, one.link.open) == (1, False)
    one.link.say("too late")
    await asyncio.sleep(0.01)
    assert other.heard == []


class _Transport(asyncio.Transport):
    def __init__(self, frames: list[bytes]) -> None:
        super().__init__()
        self._frames = frames

    def write(self, data: Any) -> None:
        """Keep it."""
        self._frames.append(bytes(data))
