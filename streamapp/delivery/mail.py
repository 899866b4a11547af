"""Handing a mail over by SMTP: the interface, the real one, and what its failures mean."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol

from aiosmtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from streamapp.delivery.compose import Letter
from streamapp.delivery.mime import Mail
from streamapp.delivery.pool import Connection, Pool
from streamapp.errors import Permanent, StreamappError, Transient
from streamapp.smtp_url import SmtpAddress

__all__ = ["MailInDoubt", "MailRefused", "MailServer", "MailUnavailable", "SmtpMail"]

FAILURES = (TimeoutError, OSError, ssl.SSLError, SMTPException, ValueError)
OF_THE_SESSION = (530, 534, 535, 538)  # RFC 4954, 6, and RFC 3207, 4: what is refused is the client, not the mail


class MailUnavailable(Transient):
    """The mail server can't be reached, is too slow, or asks to come again later (4yz).

    `hung` says that the conversation's time went by without an answer.
    """

    def __init__(self, reason: str, *, hung: bool = False) -> None:
        super().__init__(reason)
        self.hung = hung


class MailInDoubt(MailUnavailable):
    """The conversation broke off between the mail and the answer to it: the server may have it (RFC 1047)."""


class MailRefused(Permanent):
    """The mail server refuses this mail for good (5yz)."""


class MailServer(Protocol):
    """Takes e-mails for delivery."""

    async def send(self, letter: Letter) -> None:
        """Write it and hand it over; returns once the server has taken it (250 after DATA).

        Raises `MailUnavailable`, `MailInDoubt` or `MailRefused`, and what writing it raises. One that is cancelled
        raises `MailUnavailable` where the mail has certainly not gone, and CancelledError otherwise.
        """


class SmtpMail:
    """Mail over SMTP (RFC 5321), on at most `connections` connections at a time, which are kept for the next.

    Each mail is through within `timeout_s` seconds in all.
    """

    def __init__(self, address: SmtpAddress, timeout_s: float, connections: int = 8) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self.pool = Pool(self._connection, connections)

    async def send(self, mail: Mail) -> None:
        """Hand a mail over. Raises as `MailServer` does."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self.pool.take()
                try:
                    await connection.converse(mail)
                except FAILURES:
                    if not connection.stale:
                        raise
                    connection = self.pool.fresh(connection)
                    await connection.converse(mail)
        except FAILURES as error:
            in_doubt = connection is not None and connection.in_doubt
            if connection is not None:  # who did not answer that will not answer QUIT
                self.pool.drop(connection, polite=isinstance(error, SMTPResponseException | SMTPRecipientsRefused))
            raise _meaning(error, in_doubt=in_doubt) from error
        except asyncio.CancelledError:
            if connection is not None:
                self.pool.drop(connection, polite=False)
                if connection.in_doubt:
                    raise
            raise MailUnavailable("the worker was stopped before the mail was on its way") from None
        self.pool.keep(connection)

    async def close(self) -> None:
        """Part from the connections that are idle, within a bounded time."""
        await self.pool.close()

    def _connection(self) -> Connection:
        address = self._address
        return Connection(
            hostname=address.host,
            port=address.port,
            username=address.username,
            password=address.password,
            use_tls=address.tls,
            start_tls=address.starttls,
            timeout=self._timeout_s,
        )


def _meaning(error: Exception, *, in_doubt: bool = False) -> StreamappError:
    """What a failure of SMTP means for trying again (RFC 5321, 4.2.1: 4yz transient, 5yz permanent).

    A 5yz to the greeting, EHLO, STARTTLS or AUTH is about the session: a wrong password must not cost any mail.
    """
    if isinstance(error, SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, ValueError) and not isinstance(error, SMTPException | OSError):
        return MailRefused(_readable(str(error)))  # the library refuses the address
    about_the_mail = isinstance(error, SMTPSenderRefused | SMTPRecipientRefused | SMTPDataError)
    if isinstance(error, SMTPResponseException):
        answer = _readable(f"{error.code} {error.message}")
        refused = about_the_mail and 500 <= error.code < 600 and error.code not in OF_THE_SESSION
        return MailRefused(answer) if refused else MailUnavailable(answer)
    reason = _readable(f"{type(error).__name__}: {error}" if str(error) else _unsaid(error))
    kind = MailInDoubt if in_doubt else MailUnavailable
    return kind(reason, hung=isinstance(error, TimeoutError))


def _unsaid(error: Exception) -> str:
    """In words what an error does not say itself."""
    return "the mail server did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__


def _readable(text: str) -> str:
    """Servers answer in any charset, and the ledger stores no lone surrogates and no NULs."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
