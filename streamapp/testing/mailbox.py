"""The local mailbox in a thread with an event loop of its own, beside a test that has none."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from streamapp.embedded.mailbox import Mailbox
from streamapp.embedded.ports import free_port

__all__ = ["MailboxThread"]


class MailboxThread:
    """Takes mail over SMTP on `port`, and keeps it in a Maildir."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._box = Mailbox(folder, self.port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-mailbox", daemon=True)

    def start(self) -> None:
        """Listen; returns once it does."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._box.start(), self._loop).result(10)

    def stop(self) -> None:
        """Listen no more, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._box.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
