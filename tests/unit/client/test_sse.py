"""The text of a stream, however it is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamapp.client.sse import Block, Decoder

TOLD = (
    "\ufeffretry: 1500\nid: p0\n\n: a sign of life\n\nid: p1\nevent: progress\ndata: {}\n\n"
    "id: p2\r\nevent: partial\r\ndata: ä\r\ndata:  b\r\n\r\nid: p3\revent: done\rdata:x\r\rignored: 1\nid\n\n"
).encode()
BLOCKS = [
    Block(id="p0", retry_ms=1500),
    Block(),
    Block("progress", ["{}"], "p1"),
    Block("partial", ["ä", " b"], "p2"),
    Block("done", ["x"], "p3"),
    Block(id=""),
]


def read(*pieces: bytes) -> list[Block]:
    """All blocks of one connection."""
    decoder = Decoder()
    return [block for piece in pieces for block in decoder.feed(piece)]


def test_the_blocks() -> None:
    """Each of the three ends of a line, comments, unknown fields, fields without a value, and a byte order mark."""
    assert read(TOLD) == BLOCKS


@given(st.lists(st.integers(0, len(TOLD)), max_size=8))
def test_a_cut_anywhere(cuts: list[int]) -> None:
    """Between bytes of a letter, and of an end of a line: the same blocks."""
    places = [0, *sorted(cuts), len(TOLD)]
    assert read(*(TOLD[a:b] for a, b in pairwise(places))) == BLOCKS


def test_one_byte_at_a_time() -> None:
    """The same."""
    assert read(*(bytes([byte]) for byte in TOLD)) == BLOCKS


def test_half_a_block_is_none() -> None:
    """What was broken off in the middle is not told."""
    assert read(b"id: p1\ndata: x\n\nid: p2\ndata: y\n") == [Block(data=["x"], id="p1")]
    assert read(b"id: a\0b\nretry: 1s\n\n") == [Block()]
