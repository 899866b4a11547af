"""Fakes that record what reaches them, and fail or wait when a test says so.

::

    server = RecordingMail(failures=[MailUnavailable("421 busy")])
    mailer = Mailer(database, server, settings)
    await mailer.deliver(Delivery(identity))       # fails once, and the ledger says when it is tried again
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, ClassVar

from faust.types import EventT
from pydantic import BaseModel

from streamapp.delivery.compose import Letter, compose
from streamapp.delivery.target import Target
from streamapp.tasks.contract import Document, ItemError, Predictor

__all__ = ["RecordingDeadLetters", "RecordingMail", "RecordingPosts", "Word", "WordPredictor"]


class RecordingMail:
    """A `MailServer` that keeps what it takes in `sent`, as (recipient, message), each message as it was received.

    The first messages meet `failures`, one each, which are raised.
    """

    def __init__(self, failures: Iterable[Exception] = ()) -> None:
        self.sent: list[tuple[str, EmailMessage]] = []
        self.failures = list(failures)

    async def send(self, letter: Letter) -> None:
        """Take an e-mail, or raise the next failure."""
        if self.failures:
            raise self.failures.pop(0)
        mail = compose(letter)
        message = message_from_bytes(mail.content, EmailMessage, policy=SMTP)
        self.sent.append((mail.recipient, message))


class RecordingPosts:
    """`Posts` that keeps (URL, headers, body) of what it takes in `taken`. The first posts meet `failures`."""

    def __init__(self, failures: Iterable[Exception] = ()) -> None:
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.failures = list(failures)

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> None:
        """Take a webhook, or raise the next failure."""
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append((target.url, dict(headers), body))


class RecordingDeadLetters:
    """`DeadLetters` that keeps (offset, reason) in `buried`. The first letters meet `failures`, which are raised."""

    def __init__(self, failures: Iterable[Exception] = ()) -> None:
        self.buried: list[tuple[int, str]] = []
        self.failures = list(failures)

    async def bury(self, event: EventT[Any], reason: str) -> None:
        """Take a message, or raise the next failure."""
        if self.failures:
            raise self.failures.pop(0)
        self.buried.append((event.message.offset, reason))


class Word(BaseModel):
    """An item, and what `WordPredictor` makes of it."""

    text: str


class WordPredictor(Predictor[Word, str, Word]):
    """Gives each word in capitals and keeps the words of each batch in `batches`. Cost and budget are in characters.

    While `gate` is clear, `predict` waits; `waits` is set once it does. `errors` names words whose batch raises, and
    the error; `times` how often it does, for ever when a word is not in it. A word of `unprepared` raises in
    `prepare` in the same way, and `prepared` counts the words that were prepared.
    """

    name: ClassVar[str] = "word"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 20
    timeout_s: ClassVar[float] = 5.0

    def __init__(self) -> None:
        self.gate, self.waits = threading.Event(), threading.Event()
        self.gate.set()
        self.batches: list[list[str]] = []
        self.prepared: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.unprepared: dict[str, Exception] = {}
        self.times: dict[str, int] = {}
        self.device = ""

    def load(self, device: str) -> None:
        """Note the device."""
        self.device = device

    def prepare(self, item: Word, document: Document) -> str:
        """The word, or its error."""
        self._meet(item.text, self.unprepared)
        self.prepared.append(item.text)
        return item.text

    def cost(self, ready: str) -> int:
        """Characters."""
        return len(ready)

    def predict(self, batch: Sequence[str]) -> Sequence[Word | ItemError]:
        """The words in capitals, or the first one's error."""
        self.batches.append(list(batch))
        if not self.gate.is_set():
            self.waits.set()
            self.gate.wait(30)
        for word in batch:
            self._meet(word, self.errors)
        return [Word(text=word.upper()) for word in batch]

    def _meet(self, word: str, errors: dict[str, Exception]) -> None:
        if word in errors and self.times.get(word, 1) > 0:
            if word in self.times:
                self.times[word] -= 1
            raise errors[word]
