"""Long text says of itself, piece by piece, what short text says at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.documents.longtext import TextLook, normal_pieces, refuse_unfit, stays_as_it_is
from streamapp.documents.text import encoding_of, normalise_text
from streamapp.errors import BadDocument

CHARSETS = ["", "utf-8", "us-ascii", "latin-1", "utf-16", "utf-16-be", "shift_jis", "gb18030", "iso2022_jp", "utf-7"]
SOME = settings(max_examples=150, deadline=None)  # machines of all speeds
WORDS = st.text(st.sampled_from("aé日本 \n\0\ufeff🦉"), max_size=40)


def in_pieces(content: bytes, size: int) -> list[bytes]:
    """The bytes, so many at a time."""
    return [content[start : start + size] for start in range(0, len(content), size)]


def normalised(content: bytes, media_type: str, size: int) -> bytes:
    """What a spooled upload does to a text."""
    if not stays_as_it_is(content[:4096], media_type):
        return b"".join(normal_pieces(in_pieces(content, size), encoding_of(content, media_type)))
    look = TextLook()
    for piece in in_pieces(content, size):
        look.add(piece)
    look.add(b"", last=True)
    refuse_unfit(look)
    return content


@SOME
@given(WORDS, st.sampled_from(CHARSETS), st.integers(1, 7), st.binary(max_size=3))
def test_long_text_is_as_short_text(text: str, charset: str, size: int, more: bytes) -> None:
    """I expect the same bytes, or both refused, wherever the pieces are cut."""
    content = text.encode(charset or "utf-8", "ignore") + more
    media_type = f"text/plain; charset={charset}" if charset else "text/plain"
    try:
        expected = normalise_text(content, media_type)
    except BadDocument:
        with pytest.raises(BadDocument):
            normalised(content, media_type, size)
    else:
        assert normalised(content, media_type, size) == expected


@pytest.mark.parametrize(
    ("content", "media_type", "says"),
    [
        (b"a" * 10 + b"\xff", "text/plain", "at byte 10.*Send UTF-8"),
        (b"a" * 9 + b"\xc3", "text/plain", "at byte 9"),
        (b"a" * 10 + b"\xe9", "text/plain; charset=us-ascii", "at byte 10"),
        (b"a", "text/plain; charset=no-such", "not known"),
        (b"a", "text/plain; charset=base64", "not known"),
        (b"a\0", "text/plain", "NUL"),
        (b"\n " * 20, "text/plain", "empty"),
        (b"\n " * 20, "text/plain; charset=latin-1", "empty"),
        (b"+2AA-", "text/plain; charset=utf-7", "Send UTF-8"),
    ],
)
def test_what_is_no_text_is_said(content: bytes, media_type: str, says: str) -> None:
    """I expect the words for the sender, and the place counted from the start."""
    with pytest.raises(BadDocument, match=says):
        normalised(content, media_type, 4)


def test_a_decoder_that_keeps_all_is_stopped() -> None:
    """I expect UTF-7 that never ends a run to be refused, and not to be held in memory and read again and again."""
    pieces = in_pieces(b"+" + b"AGEA" * 100_000, 1 << 14)
    taken: list[bytes] = []

    def watched() -> list[bytes]:
        for piece in normal_pieces((taken.append(each) or each for each in pieces), "utf-7"):  # type: ignore[func-returns-value]
            assert piece is not None
        return taken

    with pytest.raises(BadDocument, match="taken in UTF-8"):
        watched()
    assert len(taken) < 8
