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
from aiosmtplib import SMTPDataError, SMTPException, SMTPNotSupported, SMTPResponse, SMTPServerDisconnected, SMTPStatus

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

        Who calls this bounds the time of all of it. The library's `send_message` would flatten a message first, and
        look through its addresses four times.
        """
        self.begun = False
        if not self.is_connected:
            await self.connect()
        await self._ehlo_or_helo_if_needed()  # not yet done on a connection without TLS and AUTH
        encoding = "utf-8" if mail.international else "ascii"
        await self.mail(mail.sender, options=self._options(mail), encoding=encoding)
        await self.rcpt(mail.recipient, encoding=encoding, timeout=None)
        await self._hand_over(mail.content)
        self.mails += 1

    def _options(self, mail: Mail) -> list[str]:
        options = [f"SIZE={len(mail.content)}"] if self.supports_extension("size") else []  # RFC 1870
        if mail.international:
            if not self.supports_extension("smtputf8"):
                raise SMTPNotSupported("The server takes no address outside ASCII (SMTPUTF8).")
            options += ["SMTPUTF8", "BODY=8BITMIME"]  # RFC 6531, 3.1: who offers the one offers the other
        return options

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

    async def _hand_over(self, content: bytes) -> None:
        """DATA and the mail. A break is a doubt only once the mail is on its way.

        The library's own `data` does not tell the two apart, and looks through the mail for line ends to be mended.
        """
        response = await self.execute_command(b"DATA", timeout=None)
        if response.code != SMTPStatus.start_input:
            raise SMTPDataError(response.code, response.message)
        if self.protocol is None:
            raise SMTPServerDisconnected("Connection lost")
        self.in_doubt = True
        self.protocol.write(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")  # RFC 5321, 4.5.2
        response = await self.protocol.read_response()
        self.in_doubt = False
        if response.code != SMTPStatus.completed:
            raise SMTPDataError(response.code, response.message)

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
