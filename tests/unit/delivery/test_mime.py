"""Mails as bytes: whatever is put in comes out of a parser, in short ASCII lines."""

from __future__ import annotations

from base64 import encodebytes
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.policy import default

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.delivery.clean import clean_line, clean_text, file_name
from streamapp.delivery.mime import Mail, file_part, flatten, header, mailbox, text_part

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


def with_header(name: str, value: str) -> bytes:
    """A mail with this header."""
    part = text_part("plain", "x")
    part[name] = value
    return flatten(part)


@given(LINES.map(lambda line: line.replace("=?", "= ?")))
@example("x" * 69)
@example("x" * 200)
@example("a " + "x" * 60 + " b" * 60)
@example(", " + "0" * 60 + " " + "0" * 17)  # a comma is no better place to fold at
def test_texts_of_headers_arrive(text: str) -> None:
    """I expect any line that was cleaned, in lines of at most 78 (RFC 5322, 2.1.1), and nothing but ASCII."""
    wire = with_header("Subject", header("Subject", text))
    assert parsed(wire)["Subject"] == text
    assert max(map(len, wire.split(b"\r\n"))) <= 78


@given(st.text(max_size=120).map(lambda line: clean_line(line).replace("=?", "= ?")))
@example("Bücher, GmbH")
@example('B, C "the" D')
@example("é" * 200)
def test_display_names_arrive(name: str) -> None:
    """I expect the same of a name before an address, and the address as it was."""
    address = Address(name, "mary", "example.org")
    wire = with_header("From", mailbox("From", address))
    parsed(wire)  # its phrases put a blank between encoded words, against RFC 2047, 6.2; the older parser does not
    seen = make_header(decode_header(message_from_bytes(wire)["From"].replace("\r\n", "")))
    assert str(seen) in (str(address), f"{name} <mary@example.org>")
    assert name.isascii() or max(map(len, wire.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("value", ["a\nBcc: b@example.org", "a\r\nBcc: b@example.org", "a\n", "a\rb", "a\n\nb"])
def test_no_header_begins_another(value: str) -> None:
    """I expect a header to be refused whose value would go on as a header of its own, or end them all."""
    with pytest.raises(HeaderParseError, match="X-Text"):
        with_header("X-Text", value)


@pytest.mark.parametrize("user", ["mary", "a.b+c_d-e", "o'neil", "a b", '"', "m" * 64])
def test_addresses_arrive(user: str) -> None:
    """I expect an address in one line, quoted where it must be."""
    address = Address("", user, "e" * 60 + ".org")
    wire = with_header("To", mailbox("To", address))
    assert f"\r\nTo: {address.addr_spec}\r\n".encode() in wire
    assert parsed(wire)["To"].addresses == (address,)


@pytest.mark.parametrize("name", ["", "streamapp", "Bücher, GmbH"])
def test_international_addresses_are_not_encoded(name: str) -> None:
    """I expect UTF-8 where a local part is not ASCII, since it has no other form (RFC 6532)."""
    address = Address(name, "müller", "example.org")
    assert f"\r\nTo: {address}\r\n".encode() in with_header("To", mailbox("To", address))


def test_a_message_id_stays_in_one_line() -> None:
    """I expect no blank and no line break in it, however long it is: it is compared as it stands."""
    assert b"\r\nMessage-ID: <" + b"x" * 300 + b">\r\n" in with_header("Message-ID", "<" + "x" * 300 + ">")


@given(TEXTS)
def test_texts_arrive(text: str) -> None:
    """I expect quoted-printable of at most 76 characters a line (RFC 2045, 6.7), and the text as it was."""
    text = clean_text(text)
    wire = flatten(text_part("plain", text))
    part = parsed(wire)
    assert max(map(len, wire.split(b"\r\n"))) <= 76
    assert part.get_payload(decode=True) == (text + "\n").replace("\n", "\r\n").encode()
    assert part.get_content_charset() == "utf-8"


@given(st.binary(max_size=400))
def test_files_arrive(content: bytes) -> None:
    """I expect base64 of at most 76 characters a line, and the bytes as they were."""
    wire = flatten(file_part(encodebytes(content), "image/png", "inline", "plot.png"))
    assert max(map(len, wire.split(b"\r\n"))) <= 76
    assert parsed(wire).get_payload(decode=True) == content


@given(st.text(max_size=140).map(lambda name: file_name(name, "attachment")))
@example("x" * 34)
@example("x" * 35)
@example("a b " * 24 + "c")
@example("紅樓夢" * 33)
def test_file_names_arrive(name: str) -> None:
    """I expect any name that was cleaned, in lines that are not too long."""
    wire = flatten(file_part(b"AA==\n", "image/png", "attachment", name))
    assert parsed(wire).get_filename() == name
    assert max(map(len, wire.split(b"\r\n"))) <= 78


def test_what_looks_like_a_boundary() -> None:
    """I expect a text with a boundary in it to part nothing: quoted-printable writes no `=_`."""
    hostile = "\n".join(["--=_one", "--=_one--", "--=_two", "", "--=_two--"])

    def text(subtype: str) -> MIMEBase:
        return text_part(subtype, hostile)

    inner = MIMEMultipart("alternative", "=_two", [text("plain"), text("html")])
    message = parsed(flatten(MIMEMultipart("mixed", "=_one", [inner, text("csv")])))
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
