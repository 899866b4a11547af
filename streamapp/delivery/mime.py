"""A mail as the bytes that go over SMTP, by the older half of the `email` package.

The newer half, `EmailMessage`, parses each header as it is set and again as it is written: most of the processor time
of a short mail went there. The older one takes headers as they are, so what is given to it is encoded and folded
already: texts by `Header` (RFC 2047), and file names by a header of the newer half, the only one that parts a long
name (RFC 2231).
"""

from __future__ import annotations

import quopri
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.generator import BytesGenerator
from email.header import Header
from email.headerregistry import Address
from email.mime.base import MIMEBase
from email.policy import SMTP, Compat32
from email.utils import encode_rfc2231
from io import BytesIO

__all__ = ["Mail", "file_part", "flatten", "header", "mailbox", "text_part"]

LINE = 76  # RFC 2047, 2, of a line with an encoded word
WORD = 60  # a longer one would leave the header's name alone on its line, if it is the first
BROKEN = re.compile(r"\r|\n(?![ \t])|\n$")
NAME = 34  # what fits behind `Content-Disposition: attachment; filename=""` in 78


class AsItIs(Compat32):
    """Writes headers as they are: `header` and `mailbox` have folded and encoded what needs it.

    Folded here, a Message-ID would be parted from its name, and readers compare it as it stands.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """The header's lines (RFC 5322, 2.2.3). Raises `HeaderParseError` for one that would be another's beginning."""
        if BROKEN.search(value):
            raise HeaderParseError(f"the header {name} has a line that would be a header of its own: {value!r}")
        lines = value.replace("\n", "\r\n")
        return f"{name}: {lines}\r\n".encode("ascii", "surrogateescape")


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


def header(name: str, text: str) -> str:
    """A text of one line, without `=?`, as a header's value: folded, and encoded where that is needed (RFC 2047)."""
    plain = text.isascii() and all(len(word) <= WORD for word in text.split())
    folded = Header(text, "us-ascii" if plain else "utf-8", LINE, name)
    return folded.encode(splitchars=" ")  # by itself it folds at a comma first, and what follows may be too long


def mailbox(name: str, address: Address) -> str:
    """One address as a header's value. A local part outside ASCII has no encoding: it goes as UTF-8 (RFC 6532)."""
    if not address.username.isascii():
        return str(address).encode().decode("ascii", "surrogateescape")  # how the package holds bytes of a header
    if address.display_name.isascii():
        return str(address)
    value = Header(address.display_name, "utf-8", LINE, name)
    value.append(f"<{address.addr_spec}>", "us-ascii")
    return value.encode()


def text_part(subtype: str, text: str) -> MIMEBase:
    """A text with LF as quoted-printable, which no relay has a reason to change (RFC 2045, 6.7)."""
    part = MIMEBase("text", subtype, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(quopri.encodestring(f"{text}\n".encode()).decode("ascii"))
    return part


def file_part(encoded: bytes, media_type: str, disposition: str, name: str, **params: str) -> MIMEBase:
    """A file in base64, as `base64.encodebytes` writes it. `name` is what `streamapp.delivery.clean.file_name` returns.

    `params` are those of the media type.
    """
    main, _, sub = media_type.partition("/")
    part = MIMEBase(main, sub, policy=None, **params)
    part["Content-Transfer-Encoding"] = "base64"
    if name.isascii() and len(name) <= NAME:
        part.add_header("Content-Disposition", disposition, filename=name)
    else:
        part["Content-Disposition"] = _long_name(disposition, name)
    part.set_payload(encoded.decode("ascii"))
    return part


def flatten(message: MIMEBase) -> bytes:
    """The mail on the wire (RFC 5322)."""
    wire = BytesIO()
    BytesGenerator(wire, policy=AsItIs(linesep="\r\n", mangle_from_=False)).flatten(message)
    return wire.getvalue()


def _long_name(disposition: str, name: str) -> str:
    param = f'filename="{name}"' if name.isascii() else f"filename*={encode_rfc2231(name, 'utf-8', '')}"
    folded: str = SMTP.header_factory("Content-Disposition", f"{disposition}; {param}").fold(policy=SMTP)
    return folded.partition(": ")[2].rstrip().replace("\r\n", "\n")
