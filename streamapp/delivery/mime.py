"""A mail as the bytes that go over SMTP, written once and from the outside in.

`email.message` makes objects of every header, by a parser, and parts them again when the message is flattened: most of
the processor time of a short mail went there. The few headers of our mails are known, so what is plain ASCII and fits
its line is written as it is; what is not, goes through the library, which knows RFC 2047 and RFC 2231.

An entity is a header block, an empty line and a body, all ASCII with CRLF; a part in a multipart is one, and so is a
whole mail but for the headers that go before it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.policy import SMTP, SMTPUTF8
from email.utils import encode_rfc2231

__all__ = ["Mail", "base64_lines", "file_part", "header", "mailbox", "multipart", "text_part", "token"]

LINE = 78  # RFC 5322, 2.1.1
BASE64_LINE = 76  # RFC 2045, 6.8
PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
PLAIN_NAME = re.compile(r"[A-Za-z0-9 ._+-]{1,40}")
LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail and its envelope: `sender` and `recipient` are bare addresses, `content` has CRLF and ends with it.

    The content is ASCII, but for headers with an address whose local part is not (RFC 6532).
    """

    sender: str
    recipient: str
    content: bytes

    @property
    def international(self) -> bool:
        """Whether it can go only to a server with SMTPUTF8 (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


def header(name: str, text: str, *, international: bool = False) -> bytes:
    """A header with a text of one line, encoded and folded where that is needed (RFC 2047)."""
    if len(name) + len(text) + 2 <= LINE and "=?" not in text and PLAIN.fullmatch(text):
        return f"{name}: {text}\r\n".encode("ascii")
    return _folded(name, text, international)


def mailbox(name: str, address: Address, *, international: bool = False) -> bytes:
    """A header with one address."""
    bare = address.addr_spec
    if not address.display_name and len(name) + len(bare) + 2 <= LINE and PLAIN_ADDRESS.fullmatch(bare):
        return f"{name}: {bare}\r\n".encode("ascii")
    return _folded(name, address, international)


def token(name: str, text: str) -> bytes:
    """A header with ASCII that is never encoded or broken, such as a Message-ID: readers compare it as it stands."""
    return f"{name}: {text}\r\n".encode("ascii")


def text_part(subtype: str, text: str) -> bytes:
    """A text as quoted-printable, which no relay has a reason to change (RFC 2045, 6.7)."""
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    lines = LINE_END.sub("\r\n", text) + "\r\n"  # the encoder parts long lines as the first of its input ends
    return head.encode("ascii") + binascii.b2a_qp(lines.encode("utf-8"), istext=True)


def file_part(encoded: bytes, media_type: str, disposition: str, name: str, *extra: bytes) -> bytes:
    """A file in base64, with more headers. `name` is what `streamapp.delivery.clean.file_name` returns."""
    head = (
        f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n".encode("ascii"),
        _disposition(disposition, name),
        *extra,
    )
    return b"".join((*head, b"\r\n", encoded))


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76 characters (RFC 2045, 6.8)."""
    whole = binascii.b2a_base64(content, newline=False)
    lines = [whole[at : at + BASE64_LINE] for at in range(0, len(whole), BASE64_LINE)]
    return b"\r\n".join((*lines, b""))


def multipart(subtype: str, boundary: str, parts: Sequence[bytes], params: str = "") -> bytes:
    """Parts, with `boundary` between them.

    No part may have a line that begins with two hyphens and the boundary. One that begins with `=_` is safe, since
    neither quoted-printable nor base64 has that anywhere (RFC 2045, 6.7).
    """
    line = f"--{boundary}".encode("ascii")
    head = f'Content-Type: multipart/{subtype};{params}\r\n boundary="{boundary}"\r\n\r\n'.encode("ascii")
    between = b"\r\n" + line + b"\r\n"
    return b"".join((head, line, b"\r\n", between.join(parts), b"\r\n", line, b"--\r\n"))


def _disposition(kind: str, name: str) -> bytes:
    """Content-Disposition with a file name (RFC 2183; RFC 2231 where it is not ASCII)."""
    if PLAIN_NAME.fullmatch(name):
        return f'Content-Disposition: {kind}; filename="{name}"\r\n'.encode("ascii")
    param = f'filename="{name}"' if name.isascii() else f"filename*={encode_rfc2231(name, 'utf-8', '')}"
    return _folded("Content-Disposition", f"{kind}; {param}", False)


def _folded(name: str, value: str | Address, international: bool) -> bytes:
    policy = SMTPUTF8 if international else SMTP
    return policy.fold_binary(name, policy.header_factory(name, value))
