"""SMTP connections that are used for one mail after the other: a bounded number, each for a bounded time.

A mail over an open connection costs three round trips instead of up to nine and a TLS handshake. A connection is kept
only after a mail that was taken; after any failure it is closed, so that what one mail met is never another's. Servers
close connections that say nothing for a while: that shows at MAIL, before anything of the next mail is on its way, and
says nothing about that mail.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException

from streamapp.delivery.mime import Mail

__all__ = ["Connection", "Pool"]

QUIT_S = 2.0  # the mail's fate is settled by then
IDLE_S = 30.0  # RFC 5321, 4.5.3.2.7, has servers wait five minutes; many wait one
MAILS = 100  # many servers end a session after a number of mails of their own choice
REUSED_SHARE = 4  # a connection that was open already has this part of the time to answer MAIL


class Connection(aiosmtplib.SMTP):
    """A connection that knows how far the mail on it has come."""

    mails = 0  # taken over this connection
    begun = False  # the server has answered MAIL: it is there
    in_doubt = False  # broken off while the mail was on its way
    expiry: asyncio.TimerHandle | None = None

    async def converse(self, mail: Mail) -> None:
        """Hand a mail over: connect if that is to be done, MAIL, RCPT, DATA. Raises what aiosmtplib raises.

        Who calls this bounds the time of all of it.
        """
        self.begun = False
        if not self.is_connected:
            await self.connect()
        options = ["SMTPUTF8", "BODY=8BITMIME"] if mail.international else []  # RFC 6531, 3.1: the one has the other
        await self.sendmail(mail.sender, mail.recipient, mail.content, mail_options=options, timeout=None)
        self.mails += 1

    @property
    def stale(self) -> bool:
        """Whether what failed was this connection and not the mail: it was used before, and MAIL was not taken."""
        return self.mails > 0 and not self.begun

    async def mail(self, *args: Any, **kwargs: Any) -> SMTPResponse:
        """MAIL. A connection that was open already may lead nowhere by now, and then a fresh one needs its time."""
        if self.mails and self.timeout is not None:
            kwargs["timeout"] = self.timeout / REUSED_SHARE
        response = await super().mail(*args, **kwargs)
        self.begun = True
        return response

    async def data(self, *args: Any, **kwargs: Any) -> SMTPResponse:
        """DATA and the mail. A break between the two counts as a doubt too: the library does not tell them apart."""
        try:
            return await super().data(*args, **kwargs)
        except SMTPResponseException:
            raise
        except BaseException:
            self.in_doubt = True
            raise

    async def rset(self, *args: Any, **kwargs: Any) -> SMTPResponse:
        """Nothing: the library resets after a refusal, but we part then, and a RSET that hangs would hide why."""
        return SMTPResponse(250, "")

    async def part(self) -> None:
        """QUIT, if the server answers it quickly: whatever happens here says nothing about the mail."""
        try:
            with suppress(TimeoutError, OSError, ssl.SSLError, SMTPException):
                await self.quit(timeout=QUIT_S)
        finally:
            self.close()


class Pool:
    """At most `limit` connections, made by `make`: in use, idle, or parting."""

    def __init__(
        self, make: Callable[[], Connection], limit: int, *, idle_s: float = IDLE_S, mails: int = MAILS
    ) -> None:
        self._make = make
        self._idle_s = idle_s
        self._mails = mails
        self._free = asyncio.Semaphore(limit)  # connections that may be taken: idle ones, and those not made yet
        self._idle: list[Connection] = []
        self._parting: set[asyncio.Task[None]] = set()

    async def take(self) -> Connection:
        """The connection that was used last, if one is open, or one that is to be opened. Waits for one to be free."""
        await self._free.acquire()
        while self._idle:
            connection = self._idle.pop()
            _disarm(connection)
            if connection.is_connected:
                return connection
            connection.close()
        return self._make()

    def fresh(self, old: Connection) -> Connection:
        """A connection to be opened, in the place of one that leads nowhere."""
        old.close()
        return self._make()

    def keep(self, connection: Connection) -> None:
        """Give one back after a mail that was taken, for the next one. Never waits: the mail is to be noted first."""
        if connection.mails >= self._mails or not connection.is_connected:
            self.drop(connection, polite=True)
            return
        loop = asyncio.get_running_loop()
        connection.expiry = loop.call_later(self._idle_s, self._spawn, self._expire, connection)
        self._idle.append(connection)
        self._free.release()

    def drop(self, connection: Connection, *, polite: bool) -> None:
        """Close one: with a QUIT when `polite`, which takes its time but nobody's."""
        if polite and connection.is_connected:
            self._spawn(self._part, connection)
        else:
            connection.close()
            self._free.release()

    async def close(self) -> None:
        """Part from those that are idle, within a bounded time. Those in use part when their mail is through."""
        self._mails = 0
        for connection in self._idle:
            _disarm(connection)
            self._spawn(self._expire, connection)
        if self._parting:
            await asyncio.wait(set(self._parting), timeout=QUIT_S + 1.0)

    def _spawn(self, work: Callable[[Connection], Any], connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(work(connection), name="smtp-part")
        self._parting.add(task)
        task.add_done_callback(self._parting.discard)

    async def _part(self, connection: Connection) -> None:
        try:
            await connection.part()
        finally:
            self._free.release()

    async def _expire(self, connection: Connection) -> None:
        """Part from an idle one, unless it was taken meanwhile. It counts as in use until it has parted."""
        async with self._free:
            if connection in self._idle:
                self._idle.remove(connection)
                await connection.part()


def _disarm(connection: Connection) -> None:
    if connection.expiry is not None:
        connection.expiry.cancel()
        connection.expiry = None
