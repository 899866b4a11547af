"""Text becomes UTF-8, or the sender hears why not."""

from __future__ import annotations

import encodings.aliases

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.documents.text import normalise_text
from streamapp.errors import BadDocument

SOME = settings(max_examples=60, deadline=None)  # machines of all speeds
CHARSETS = sorted({*encodings.aliases.aliases.values(), "idna", "punycode", "unicode_escape", "undefined", "no-such"})


@pytest.mark.parametrize(
    ("content", "media_type", "text"),
    [
        ("é".encode(), "text/plain", "é"),
        ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
        ("é".encode("latin-1"), 'text/plain; charset="latin1"', "é"),
        ("é".encode("cp1252"), "text/plain; Charset=windows-1252", "é"),
        ("é".encode("utf-8-sig"), "text/plain", "é"),
        ("é".encode("utf-8-sig"), "text/plain; charset=latin-1", "é"),
        ("é".encode("utf-16"), "text/plain", "é"),
        ("é".encode("utf-16-be"), "text/plain; charset=utf-16-be", "é"),
        (b"a\r\n\x0c", "text/plain; charset=", "a\r\n\x0c"),
    ],
)
def test_text_in_its_charset(content: bytes, media_type: str, text: str) -> None:
    """A byte order mark goes before what is declared, and UTF-8 after it."""
    assert normalise_text(content, media_type).decode() == text


@pytest.mark.parametrize(
    ("content", "media_type", "says"),
    [
        (b"\xff", "text/plain", "Send UTF-8"),
        (b"\xe9", "text/plain; charset=utf-8", "Send UTF-8"),
        (b"a", "text/plain; charset=no-such", "not known"),
        (b"a", "text/plain; charset=base64", "not known"),
        (b"a", "text/plain; charset=unicode_escape", "not known"),
        (b"a", "text/plain; charset=raw-unicode-escape", "not known"),
        (b"a" * 10_000, "text/plain; charset=punycode", "not known"),
        (b"a" * 10_000, "text/plain; charset=idna", "not known"),
        (b"+2AA-", "text/plain; charset=utf-7", "Send UTF-8"),
        (b"a\0", "text/plain", "NUL"),
        ("a".encode("utf-16-be"), "text/plain", "NUL"),
        (b" \n", "text/plain", "empty"),
        (b"\xef\xbb\xbf", "text/plain", "empty"),
        (b"\xff\xfe", "text/plain", "empty"),
    ],
)
def test_what_is_no_text(content: bytes, media_type: str, says: str) -> None:
    """The words say what to send."""
    with pytest.raises(BadDocument, match=says):
        normalise_text(content, media_type)


@SOME
@given(st.binary(max_size=100), st.sampled_from(CHARSETS))
def test_any_bytes_in_any_charset(content: bytes, charset: str) -> None:
    """UTF-8 comes out, or a refusal; nothing else is raised."""
    try:
        normal = normalise_text(content, f"text/plain; charset={charset}")
    except BadDocument:
        return
    assert normal.decode("utf-8").strip()
