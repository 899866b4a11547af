"""The local mailbox: a real SMTP server (RFC 5321, SMTPUTF8 by RFC 6531) that puts every message into a Maildir.

So the mail path is the same as with any other mail server, and the result opens in any mail reader. A message is
acknowledged after it is on disk under its final name; when it can't be stored, the answer is a transient one and the
sender tries again.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import mailbox
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from streamapp.embedded import StartError, ports

__all__ = ["Mailbox", "deliver", "traced"]

logger = logging.getLogger(__name__)

LARGEST_BYTES = 64 * 1024 * 1024
HOST = "127.0.0.1"
PREFERRED_PORT = 1025
IDLE_S = 300.0
TRIES = 5


def deliver(folder: Path, content: bytes) -> Path:
    """Store one message; returns its file in ``new``. Blocks until it is on disk. Raises OSError."""
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # written and synced under ``tmp``, then moved: a reader never sees half a message
    path = folder / "new" / mailbox.Maildir(folder).add(content.replace(b"\r\n", b"\n"))
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def traced(envelope: Envelope) -> bytes:
    """The message with its envelope on top: Return-Path (RFC 5321, 4.4) and one Delivered-To for each recipient."""
    fields = [f"Return-Path: <{envelope.mail_from or ''}>", *(f"Delivered-To: {to}" for to in envelope.rcpt_tos)]
    head = "".join("".join(character for character in field if character.isprintable()) + "\r\n" for field in fields)
    content = envelope.original_content or b""
    return head.encode() + content


class Mailbox:
    """The server. `start` in a running event loop, `stop` at the end; messages are stored one at a time in a thread."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._server: asyncio.Server | None = None
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="mailbox")

    @classmethod
    async def of_home(cls, home: Path, folder: Path) -> Mailbox:
        """A mailbox that listens, on the port that the home remembers. Raises `StartError`."""
        for _ in range(TRIES):  # somebody may take the port between the choice and its use
            box = cls(folder, ports.choose(home, "mailbox", PREFERRED_PORT))
            try:
                await box.start()
            except OSError as error:
                logger.warning("mailbox port lost, another is chosen", extra={"port": box.port, "error": repr(error)})
            else:
                return box
        raise StartError(f"The mailbox found no port to listen on in {TRIES} attempts.")

    @property
    def url(self) -> str:
        """What goes into STREAMAPP_SMTP_URL."""
        return f"smtp://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        conversation = functools.partial(
            SMTP,
            self,
            data_size_limit=LARGEST_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="streamapp mailbox",
            timeout=IDLE_S,
            loop=loop,
        )
        self._server = await loop.create_server(conversation, HOST, self.port)

    async def stop(self) -> None:
        """Stop listening; a message being stored is stored."""
        if self._server is not None:
            self._server.close()
        await asyncio.to_thread(self._disk.shutdown)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Store the message and acknowledge it. Called by aiosmtpd."""
        try:
            path = await asyncio.get_running_loop().run_in_executor(self._disk, deliver, self.folder, traced(envelope))
        except OSError as error:
            logger.warning("message not stored", extra={"folder": str(self.folder), "error": repr(error)})
            return "452 4.3.1 It can't be stored now"
        return f"250 2.0.0 Stored as {path.name}"
