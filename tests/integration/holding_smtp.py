"""A mail server that keeps a sender waiting for the answer to DATA until a test lets it go."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from streamapp.embedded.ports import free_port

TAKEN = "250 OK"


class Mail(NamedTuple):
    """A mail that was taken."""

    recipient: str
    message_id: str


class HoldingSmtp:
    """`answers` is by recipient: the first mail to such a one waits, and then gets that answer; others are taken."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.mails: list[Mail] = []
        self.held: dict[str, int] = {}  # recipient: the sender's port
        self._answers = dict(answers)
        self._go = threading.Event()
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    @property
    def url(self) -> str:
        """For STREAMAPP_SMTP_URL."""
        return f"smtp://127.0.0.1:{self._controller.port}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._controller.stop()

    def let_go(self) -> None:
        """Answer all that wait."""
        self._go.set()

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """The answer to a mail; `server` is aiosmtpd's."""
        [recipient] = envelope.rcpt_tos
        answer = self._answers.pop(recipient, None)
        if answer is not None:
            self.held[recipient] = cast(tuple[str, int], session.peer)[1]
            while not self._go.is_set():
                await asyncio.sleep(0.05)
        if answer in (None, TAKEN):
            message = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
            identity = str(message["Message-ID"])
            self.mails.append(Mail(recipient, identity))
        return answer or TAKEN
