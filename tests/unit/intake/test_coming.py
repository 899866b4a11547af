"""A body over WSGI is read as aiohttp's own reader would read it, and is bounded however it is compressed."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, LineTooLong
from hypothesis import given
from hypothesis import strategies as st

from streamapp.elsewhere import at_once, here
from streamapp.intake.coming import PIECE, Coming


def whole(coming: Coming) -> bytes:
    """All of it."""
    found = b""
    while piece := at_once(coming.readany()):
        found += piece
    return found


def raw_deflate(content: bytes) -> bytes:
    """Without zlib's header, as some send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
)
def test_what_was_packed_is_unpacked(encoding: str, pack: object) -> None:
    """I expect the content, of whatever size."""
    for content in (b"", b"A text.", bytes(1_000_000)):
        packed = pack(content)  # type: ignore[operator]
        assert whole(Coming(io.BytesIO(packed).read, encoding)) == content


def test_a_bomb_is_unpacked_a_piece_at_a_time() -> None:
    """I expect no more of it in memory than a piece, however much a few bytes stand for."""
    coming = Coming(io.BytesIO(gzip.compress(bytes(50_000_000))).read, "gzip")
    assert len(at_once(coming.readany())) <= PIECE
    assert len(at_once(coming.read(10))) == 10


@pytest.mark.parametrize(("encoding", "content"), [("gzip", b"plain"), ("deflate", zlib.compress(bytes(99999))[:-9])])
def test_what_is_not_packed_so(encoding: str, content: bytes) -> None:
    """I expect aiohttp's error, which becomes a 400."""
    with pytest.raises(ContentEncodingError):
        whole(Coming(io.BytesIO(content).read, encoding))


def test_a_client_that_goes_away() -> None:
    """I expect aiohttp's error, which becomes a 400."""

    def read(size: int) -> bytes:
        raise OSError("gone")

    with pytest.raises(web.RequestPayloadError):
        whole(Coming(read))


@given(st.lists(st.binary(max_size=20)), st.lists(st.sampled_from(["line", "some", "back", "any"])))
def test_nothing_is_lost_or_made(pieces: list[bytes], calls: list[str]) -> None:
    """I expect lines, pieces and what is given back to be the body, in its order, whatever order they are asked in."""
    content = b"".join(pieces)
    coming, found = Coming(io.BytesIO(content).read), b""
    for call in calls:
        if call == "line":
            line = at_once(coming.readline())
            assert line.count(b"\n") <= 1
            found += line
        elif call == "some":
            found += at_once(coming.read(3))
        elif call == "any":
            found += at_once(coming.readany())
        else:
            coming.unread_data(found[-2:])
            found = found[:-2]
    found += whole(coming)
    assert found == content
    assert coming.at_eof()


def test_a_line_has_a_limit() -> None:
    """I expect aiohttp's error for one that is longer."""
    with pytest.raises(LineTooLong):
        at_once(Coming(io.BytesIO(b"a" * 500 + b"\n").read).readline(max_line_length=100))


def test_what_would_wait_is_refused() -> None:
    """I expect an error where something waits for an event loop that is not there, and results of what does not."""

    async def waits() -> None:
        import asyncio

        await asyncio.sleep(0)

    assert at_once(here(len, "abc")) == 3
    with pytest.raises(RuntimeError, match="waits for an event loop"):
        at_once(waits())
