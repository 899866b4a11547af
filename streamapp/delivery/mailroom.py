"""Has e-mails written and sent in a process next door.

Writing an e-mail, with its files in base64, and the conversation about it were a quarter of a worker's
processor time for a small job; and while it wrote one of some megabytes, no request was answered. See docs/adr/0034.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import socket
from multiprocessing.process import BaseProcess

from streamapp.delivery import clerk
from streamapp.delivery.clerk import CLOSE, Cancel, Order, Outcome
from streamapp.delivery.compose import Letter
from streamapp.delivery.link import Link
from streamapp.delivery.mail import MailInDoubt, MailUnavailable
from streamapp.leaving import how_ended
from streamapp.nextdoor import forks
from streamapp.smtp_url import SmtpAddress

__all__ = ["Mailroom"]

logger = logging.getLogger(__name__)

GRACE_S = 10.0  # beyond the time that a mail has: who has not answered then never will
CANCEL_S = 1.0
CLOSE_S = 4.0
ENDS_S = 0.1  # from the end of its socket to its own


class Mailroom:
    """`MailServer` whose work is done by a clerk. One that ends is replaced for the next letter."""

    def __init__(self, address: SmtpAddress, timeout_s: float, connections: int, grace_s: float = GRACE_S) -> None:
        self._args = (address, timeout_s, connections)
        self._limit_s = timeout_s + grace_s
        self._opening = asyncio.Lock()
        self._desk: _Desk | None = None
        self._closed = False

    async def send(self, letter: Letter) -> None:
        """Have it written and sent. It is in doubt when the clerk ends meanwhile, or does not answer."""
        outcome = await (await self._staffed()).send(letter, self._limit_s)
        if outcome.error is not None:
            raise outcome.error

    async def open(self) -> None:
        """Start a clerk, so that the first letter need not wait for it."""
        try:
            await self._staffed()
        except MailUnavailable as error:
            logger.warning("%s", error)  # the first letter tries again

    async def close(self) -> None:
        """Let the clerk say goodbye to the mail server and end, within a bounded time."""
        self._closed = True
        async with self._opening:
            if self._desk is not None:
                await self._desk.close()

    async def _staffed(self) -> _Desk:
        async with self._opening:
            if self._desk is None or not self._desk.open:
                if self._closed:
                    raise MailUnavailable("the worker is stopping")
                try:
                    self._desk = await _desk(self._args)
                except OSError as error:  # no memory or no process to be had right now
                    raise MailUnavailable(f"the process that sends e-mails can't be started: {error}") from error
            return self._desk


async def _desk(args: tuple[SmtpAddress, float, int]) -> _Desk:
    """A clerk, and the desk that it is given its letters at."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            desk = _Desk(await asyncio.to_thread(_fork, theirs, args))
        await asyncio.get_running_loop().create_connection(lambda: desk.link, sock=ours)
    except OSError:
        ours.close()
        raise
    return desk


def _fork(theirs: socket.socket, args: tuple[SmtpAddress, float, int]) -> BaseProcess:
    process = forks().Process(target=clerk.work, args=(theirs, *args), name="mail clerk", daemon=True)
    process.start()
    atexit.register(process.kill)  # Python would send it SIGTERM, which it does not heed, and wait for it
    return process


class _Desk:
    """One clerk, and what it was given and has not answered."""

    def __init__(self, process: BaseProcess) -> None:
        self.link = Link(self._heard, self._lost)
        self._process = process
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._given_up = False

    @property
    def open(self) -> bool:
        """Whether the clerk takes letters."""
        return self.link.open and not self._given_up

    async def send(self, letter: Letter, limit_s: float) -> Outcome:
        """What became of a letter."""
        number = next(self._numbers)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self.link.say(Order(number, letter))
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.wait({answer})  # which a cancel of this one leaves alone
            return answer.result()
        except TimeoutError:
            self._given_up = True
            self._process.kill()
            raise MailInDoubt("the process that sends e-mails did not answer") from None
        except asyncio.CancelledError:
            self.link.say(Cancel(number))
            await asyncio.wait({answer}, timeout=CANCEL_S)
            if answer.done() and not (outcome := answer.result()).broken:
                return outcome
            raise
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """End, politely if that is quick."""
        self._given_up = True
        self.link.say(CLOSE)
        await asyncio.to_thread(self._process.join, CLOSE_S)
        self._process.kill()
        self.link.close()

    def _heard(self, outcome: Outcome) -> None:
        answer = self._waiting.get(outcome.number)
        if answer is not None and not answer.done():
            answer.set_result(outcome)

    def _lost(self) -> None:
        """The clerk is gone: the server may have any of the mails that it was given."""
        if not self._waiting and self._given_up:
            return
        self._process.join(ENDS_S)
        reason = f"the process that sends e-mails ended {how_ended(self._process.exitcode or 0)}"
        logger.error("%s; %d were on their way", reason, len(self._waiting))
        for number, answer in self._waiting.items():
            if not answer.done():
                answer.set_result(Outcome(number, MailInDoubt(reason)))
