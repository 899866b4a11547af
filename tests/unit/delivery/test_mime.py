"""Mails as bytes: whatever is put in comes out of a parser, in short ASCII lines."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, default

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.delivery.clean import clean_line, clean_text, file_name
from streamapp.delivery.mime import Mail, base64_lines, file_part, header, mailbox, multipart, text_part, token

ASCII = st.characters(min_codepoint=32, max_codepoint=126)
LINES = (st.text(max_size=250) | st.text(ASCII, min_size=40, max_size=110)).map(clean_line)
TEXTS = st.lists(
    st.text(max_size=90) | st.sampled_from([".", "..", "--=_a", "From me", "-- ", "tab\t", "=20", "é" * 60, "x" * 200])
).map("\n".join)


def parsed(entity: bytes) -> EmailMessage:
    """An entity as a parser sees it, which must find no defect in it; and it must be fit for any relay."""
    assert entity.isascii()
    assert b"\n" not in entity.replace(b"\r\n", b"")
    assert b"\r" not in entity.replace(b"\r\n", b"")
    message = message_from_bytes(entity, EmailMessage, policy=default)
    assert [defect for part in message.walk() for defect in part.defects] == []
    return message


@given(LINES, st.booleans())
@example("x" * 69, False)
@example("x" * 70, False)
@example("a =?utf-8?q?b?= c", False)
def test_headers_are_as_the_library_writes_them(text: str, international: bool) -> None:
    """I expect the short way to write the bytes of the long one."""
    policy = SMTPUTF8 if international else SMTP
    expected = policy.fold_binary("Subject", policy.header_factory("Subject", text))
    assert expected == header("Subject", text, international=international)


@pytest.mark.parametrize(
    "address",
    [
        Address("", "mary", "example.org"),
        Address("", "a.b+c_d-e", "mail.example.org"),
        Address("", "o'neil", "example.org"),
        Address("", "a b", "example.org"),
        Address("", "m" * 60, "e" * 60 + ".org"),
        Address("streamapp", "streamapp", "localhost"),
        Address("Bücher, GmbH", "a", "example.org"),
        Address("", "müller", "example.org"),
    ],
)
@pytest.mark.parametrize("international", [False, True])
def test_addresses_are_as_the_library_writes_them(address: Address, international: bool) -> None:
    """I expect the same of a header with an address."""
    policy = SMTPUTF8 if international else SMTP
    if international or address.username.isascii():
        expected = policy.fold_binary("To", policy.header_factory("To", address))
        assert expected == mailbox("To", address, international=international)


def test_a_token_stays_in_one_line() -> None:
    """I expect no blank and no line break in it, however long it is."""
    assert token("Message-ID", "<" + "x" * 300 + ">") == b"Message-ID: <" + b"x" * 300 + b">\r\n"


@given(TEXTS)
def test_texts_arrive(text: str) -> None:
    """I expect quoted-printable of at most 76 characters a line (RFC 2045, 6.7), and the text as it was."""
    text = clean_text(text)
    wire = text_part("plain", text)
    part = parsed(wire)
    assert max(map(len, wire.split(b"\r\n"))) <= 76
    assert part.get_payload(decode=True) == (text + "\n").replace("\n", "\r\n").encode()
    assert part.get_content_charset() == "utf-8"


@given(st.binary(max_size=400))
def test_files_arrive(content: bytes) -> None:
    """I expect base64 of at most 76 characters a line, and the bytes as they were."""
    encoded = base64_lines(content)
    assert base64.b64decode(encoded) == content
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    assert parsed(file_part(encoded, "image/png", "inline", "plot.png")).get_payload(decode=True) == content


@given(st.text(max_size=140).map(lambda name: file_name(name, "attachment")))
def test_file_names_arrive(name: str) -> None:
    """I expect any name that was cleaned, in lines that are not too long."""
    wire = file_part(b"AA==\r\n", "image/png", "attachment", name)
    assert parsed(wire).get_filename() == name
    assert max(map(len, wire.split(b"\r\n"))) <= 78


def test_what_looks_like_a_boundary() -> None:
    """I expect a text with a boundary in it to part nothing: quoted-printable writes no `=_`."""
    hostile = "\n".join(["--=_one", "--=_one--", "--=_two", "", "--=_two--"])
    inner = multipart("alternative", "=_two", [text_part("plain", hostile), text_part("html", hostile)])
    message = parsed(multipart("mixed", "=_one", [inner, text_part("csv", hostile)]))
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/csv"]
    assert all(
        part.get_payload(decode=True) == (hostile + "\n").replace("\n", "\r\n").encode()
        for part in message.walk()
        if not part.is_multipart()
    )


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [("a@b.org", "c@d.org", False), ("ä@b.org", "c@d.org", True), ("a@b.org", "ç@d.org", True)],
)
def test_who_needs_smtputf8(sender: str, recipient: str, expected: bool) -> None:
    """I expect either address to ask for it."""
    assert Mail(sender, recipient, b"").international is expected
