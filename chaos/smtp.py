"""A mail server that misbehaves on request, and never forgets a mail that it took: it is in the driver, which lives on.

Modes: ``normal``; ``away`` (its port is closed); ``421-connect`` and ``421-mail``; ``451-rcpt``; after DATA ``hang``
(no answer at all), ``drop`` (the connection ends before the 250), both with the mail ``kept`` and ``lost``; ``slow``.
Recipients called ``refused`` get 550.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from streamapp.embedded.ports import free_port

__all__ = ["MODES", "SLOW_S", "FaultySmtp", "Taken"]

HOST = "127.0.0.1"
MODES = ("away", "421-connect", "421-mail", "451-rcpt", "hang-kept", "hang-lost", "drop-kept", "drop-lost", "slow")
SLOW_S = 2.0
HANG_S = 60.0  # longer than any client of this run waits


@dataclass(slots=True)
class Taken:
    """A mail that the server kept: times are `time.time()`; `answered`: the client was sent its 250."""

    message_id: str
    recipient: str
    began: float
    taken: float
    answered: bool = False
    ended: float = 0.0


class FaultySmtp:
    """The server. `mode` may be changed at any time through `be`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mode = "normal"
        self.met = asyncio.Event()  # a client has met what the mode is
        self.taken: list[Taken] = []
        self._server: asyncio.Server | None = None
        self._open: set[_Conversation] = set()
        self._released = asyncio.Event()

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        conversation = functools.partial(
            _Conversation, self, enable_SMTPUTF8=True, hostname="localhost", ident="chaos", timeout=300.0, loop=loop
        )
        self._server = await loop.create_server(conversation, HOST, self.port)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for conversation in list(self._open):
            conversation.drop()

    async def be(self, mode: str) -> None:
        """Change the mode; what hangs goes on hanging for its client, the mode was another when it came."""
        if mode == "away" or self.mode == "away":
            await (self.stop() if mode == "away" else self._listen_again())
        self.mode = mode
        self.met.clear()

    async def _listen_again(self) -> None:
        for _ in range(50):
            with suppress(OSError):
                await self.start()
                return
            await asyncio.sleep(0.1)
        raise OSError(f"port {self.port} of the mail server is taken")

    def opened(self, conversation: _Conversation) -> None:
        """A client has connected."""
        self._open.add(conversation)

    def closed(self, conversation: _Conversation) -> None:
        """A client is gone."""
        self._open.discard(conversation)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names, here and below
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Note when it began."""
        if self.mode == "421-mail":
            self.met.set()
            return "421 4.3.2 The service is going away"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        envelope.began = time.time()  # type: ignore[attr-defined]
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse for good who is called so."""
        if address.startswith("refused"):
            return "550 5.1.1 There is no such mailbox"
        if self.mode == "451-rcpt":
            self.met.set()
            return "451 4.7.1 Come again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep it or not, answer or not."""
        how, _, fate = self.mode.partition("-")
        if how != "normal":
            self.met.set()
        mail = self._mail(envelope)
        if fate != "lost":
            self.taken.append(mail)
        try:
            if how == "drop":
                assert isinstance(server, _Conversation)
                server.drop()
                await asyncio.sleep(HANG_S)
            await asyncio.sleep({"hang": HANG_S, "slow": SLOW_S}.get(how, 0.0))
        finally:
            mail.ended = time.time()
        mail.answered = True
        return "250 2.0.0 OK"

    def _mail(self, envelope: Envelope) -> Taken:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        identity = str(BytesHeaderParser().parsebytes(content)["Message-ID"] or "")
        began: float = getattr(envelope, "began", time.time())
        return Taken(identity.strip(), str(envelope.rcpt_tos[0]), began, time.time())


class _Conversation(SMTP):
    """One connection, which can be cut."""

    def __init__(self, desk: FaultySmtp, **options: Any) -> None:
        super().__init__(desk, **options)
        self._desk = desk

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet with 421 when that is the mode."""
        super().connection_made(transport)
        self._desk.opened(self)
        if self._desk.mode == "421-connect" and isinstance(transport, asyncio.Transport):
            self._desk.met.set()
            transport.write(b"421 4.3.2 localhost is not available now\r\n")
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._desk.closed(self)
        super().connection_lost(error)

    def drop(self) -> None:
        """Cut the connection, as a cable would."""
        cut: Callable[[], None] | None = getattr(self.transport, "abort", None)
        if cut is not None:
            cut()
