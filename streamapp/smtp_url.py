"""The mail server's address as a setting has it; the settings are read with it, so a wrong one is said at start."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["SmtpAddress", "parse_smtp_url"]

SCHEMES = {"smtp": 25, "smtps": 465}  # and their ports
STARTTLS = {"": None, "require": True, "never": False}


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
    """Read smtp://user:password@host:port?starttls=require or smtps://…. Raises ValueError, which does not show it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is none, or a bracket that is not closed
        parts, host, port = urlsplit(""), None, None
    starttls = parse_qs(parts.query).get("starttls", [""])[-1]
    if parts.scheme not in SCHEMES or not host or starttls not in STARTTLS:
        raise ValueError(
            "it must look like smtp://user:password@host:port, smtps://…, with ?starttls=require or =never if wanted"
        )
    return SmtpAddress(
        host=host,
        port=port or SCHEMES[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "smtps",
        starttls=STARTTLS[starttls],
    )
