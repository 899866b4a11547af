"""One SMTP conversation: the interface, the real one, and what its failures mean."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from streamapp.errors import ConfigurationError, Permanent, StreamappError, Transient

__all__ = ["MailRefused", "MailServer", "MailUnavailable", "SmtpMail", "parse_smtp_url"]


class MailUnavailable(Transient):
    """The mail server can't be reached, is too slow, or asks to come again later (4yz)."""


class MailRefused(Permanent):
    """The mail server refuses this mail for good (5yz)."""


class MailServer(Protocol):
    """Takes mail for delivery."""

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand a message over; returns once the server has taken it (250 after DATA).

        Raises `MailUnavailable` or `MailRefused`.
        """


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """Where and how to speak SMTP."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    starttls: bool | None


def parse_smtp_url(url: str) -> SmtpAddress:
    """Read smtp://user:password@host:port?starttls=require or smtps://…. Raises `ConfigurationError`."""
    parts = urlsplit(url)
    starttls = parse_qs(parts.query).get("starttls", [""])[-1]
    try:
        port = parts.port
    except ValueError:
        port = -1
    if (
        parts.scheme not in ("smtp", "smtps")
        or not parts.hostname
        or port == -1
        or starttls not in ("", "require", "never")
    ):
        raise ConfigurationError(
            "STREAMAPP_SMTP_URL must look like smtp://user:password@host:port, smtps://…, with ?starttls=require or =never "
            f"if wanted; it is {url.split('@')[-1]!r}."
        )
    return SmtpAddress(
        host=parts.hostname,
        port=port or (465 if parts.scheme == "smtps" else 25),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "smtps",
        starttls={"require": True, "never": False}.get(starttls),
    )


class SmtpMail:
    """`MailServer` over SMTP (RFC 5321). Each mail is a conversation of its own, within `timeout_s` seconds in all."""

    def __init__(self, address: SmtpAddress, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand a message over."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._converse(message, recipient)
        except (TimeoutError, OSError, ssl.SSLError, SMTPException, ValueError) as error:
            raise _meaning(error) from error

    async def _converse(self, message: EmailMessage, recipient: str) -> None:
        address = self._address
        client = aiosmtplib.SMTP(
            hostname=address.host,
            port=address.port,
            username=address.username,
            password=address.password,
            use_tls=address.tls,
            start_tls=address.starttls,
            timeout=self._timeout_s,
        )
        async with client:
            await client.send_message(message, recipients=[recipient])


def _meaning(error: Exception) -> StreamappError:
    """What a failure of SMTP means for trying again (RFC 5321, 4.2.1: 4yz transient, 5yz permanent)."""
    if isinstance(error, SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, ValueError) and not isinstance(error, SMTPException | OSError):
        return MailRefused(str(error))  # the library refuses the address
    if isinstance(error, SMTPResponseException) and 500 <= error.code < 600:
        return MailRefused(f"{error.code} {error.message}")
    return MailUnavailable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
