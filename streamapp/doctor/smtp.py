"""The mail server: whether a connection, TLS and the login work as the settings say. No mail is sent."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException

from streamapp.doctor.finding import Finding, ok, problem, warning
from streamapp.doctor.ground import Ground
from streamapp.embedded.ports import local_smtp_url
from streamapp.smtp_url import parse_smtp_url

__all__ = ["check_smtp"]

SMALLEST = 4 << 20  # an e-mail is a report, its plot and its attachments


async def check_smtp(ground: Ground) -> Sequence[Finding]:
    """EHLO, STARTTLS and AUTH as a delivery has them, and QUIT."""
    address = parse_smtp_url(ground.settings.smtp_url or local_smtp_url(ground.settings.home))
    where = f"{address.host}:{address.port}"
    client = SMTP(
        hostname=address.host,
        port=address.port,
        username=address.username,
        password=address.password,
        use_tls=address.tls,
        start_tls=address.starttls,
        timeout=ground.timeout_s / 2,
    )
    try:
        async with client:
            await client.ehlo()  # once more, after TLS and the login: what it says of itself then counts
            return _met(client, where, login=bool(address.username), here=_is_here(address.host))
    except SMTPAuthenticationError as error:
        return [
            _no(
                where,
                f"refuses the login: {error.code} {error.message}",
                "Correct the user and the password in STREAMAPP_SMTP_URL.",
            )
        ]
    except ssl.SSLError as error:
        said = getattr(error, "verify_message", "") or error.reason or str(error)
        return [
            _no(
                where,
                f"and we can't agree on TLS: {said}",
                "Its certificate has to be for the name in STREAMAPP_SMTP_URL, and trusted by this machine.",
            )
        ]
    except (SMTPException, OSError) as error:
        said = str(error) or "it did not answer in time"
        return [_no(where, f"can't be used: {said}", "Start it, or correct STREAMAPP_SMTP_URL.")]


def _no(where: str, said: str, advice: str) -> Finding:
    return problem(f"The mail server {where} {said}", f"{advice} Until then e-mails wait.")


def _met(client: SMTP, where: str, *, login: bool, here: bool) -> list[Finding]:
    tls = client.get_transport_info("sslcontext") is not None
    found = [
        ok(f"The mail server {where} answers{' over TLS' if tls else ''}{', and takes the login' if login else ''}.")
    ]
    if login and not tls and not here:
        found.append(
            warning(
                f"The password goes to {where} unencrypted.",
                "Use smtps://, or ?starttls=require in STREAMAPP_SMTP_URL.",
            )
        )
    size = client.esmtp_extensions.get("size", "")
    if size.isdigit() and 0 < int(size) < SMALLEST:
        found.append(
            warning(
                f"It takes mails of {int(size)} bytes at most; one with a plot may be larger.",
                "Raise its limit, or such mails are refused.",
            )
        )
    return found


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
