"""Messages between this process and one that it has started, over a socket that only they have.

What is said in one turn of the event loop travels together: a frame of pickled messages behind its length, four bytes
in network order.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["Link"]

HEAD = struct.Struct("!I")


class Link(asyncio.Protocol):
    """One end. `heard` is called for each message, `lost` once when the other end is gone."""

    def __init__(self, heard: Callable[[Any], None], lost: Callable[[], None]) -> None:
        self.open = False
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._said: list[Any] = []

    def say(self, message: Any) -> None:
        """Send it, at the end of this turn of the event loop. Nothing happens when the other end is gone."""
        if not self._said:
            asyncio.get_running_loop().call_soon(self._flush)
        self._said.append(message)

    def close(self) -> None:
        """Leave the other end alone; what was said and has not gone yet still goes."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From now on there is an other end."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        """A part of a frame, or the ends of several."""
        read = self._read
        read += data
        while len(read) >= HEAD.size:
            end = HEAD.size + HEAD.unpack_from(read)[0]
            if len(read) < end:
                return
            frame = bytes(read[HEAD.size : end])
            del read[:end]
            for message in pickle.loads(frame):
                self._heard(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        self.open = False
        self._lost()

    def _flush(self) -> None:
        said, self._said = self._said, []
        if self.open and self._transport is not None:
            frame = pickle.dumps(said, pickle.HIGHEST_PROTOCOL)
            self._transport.write(HEAD.pack(len(frame)) + frame)
