"""The process that writes and sends e-mails: `streamapp.delivery.mailroom` starts it, and tells it what to send.

It says for each letter what became of it. It ends when it is told to, and at once when the process that started it is
gone: the mails that are on their way then break off, as they would have in that process.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamapp.allocator import give_back
from streamapp.delivery.compose import Letter, compose
from streamapp.delivery.link import Link
from streamapp.delivery.mail import SmtpMail
from streamapp.garbage import look_less
from streamapp.smtp_url import SmtpAddress

__all__ = ["CLOSE", "NAME", "Cancel", "Clerk", "Order", "Outcome", "work"]

CLOSE = "close"
NAME = "streamapp-mail"  # in `ps`; at most 15 characters
COMM = Path("/proc/self/comm")


@dataclass(frozen=True, slots=True)
class Order:
    """A letter to be written and sent."""

    number: int
    letter: Letter


@dataclass(frozen=True, slots=True)
class Cancel:
    """An order that is not wanted any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order: sent, or `error`. `broken` says that it was cancelled with the mail on its way."""

    number: int
    error: Exception | None = None
    broken: bool = False


class Clerk:
    """`MailServer` in this process."""

    def __init__(self, smtp: SmtpMail) -> None:
        self._smtp = smtp

    async def send(self, letter: Letter) -> None:
        """Write it, and hand it over."""
        await self._smtp.send(compose(letter))


def work(end: socket.socket, address: SmtpAddress, timeout_s: float, connections: int) -> None:
    """Work on orders until told to close, or until the other end is gone. Never returns otherwise."""
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and a service manager mean all processes at once
        signal.signal(number, signal.SIG_IGN)  # but the one that started this has mails to settle first
    with suppress(OSError):
        COMM.write_text(NAME)
    give_back()
    look_less()
    asyncio.run(_Orders(SmtpMail(address, timeout_s, connections)).work(end))


class _Orders:
    """The orders under way."""

    def __init__(self, smtp: SmtpMail) -> None:
        self._smtp = smtp
        self._clerk = Clerk(smtp)
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._closed = asyncio.Event()
        self._link = Link(self._heard, lambda: os._exit(0))

    async def work(self, end: socket.socket) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self._link, sock=end)
        await self._closed.wait()
        await self._smtp.close()

    def _heard(self, message: Order | Cancel | str) -> None:
        if isinstance(message, Order):
            self._under_way[message.number] = asyncio.create_task(self._send(message), name=f"order {message.number}")
        elif isinstance(message, Cancel):
            if task := self._under_way.get(message.number):
                task.cancel()
        else:
            self._closed.set()

    async def _send(self, order: Order) -> None:
        try:
            await self._clerk.send(order.letter)
            outcome = Outcome(order.number)
        except asyncio.CancelledError:
            outcome = Outcome(order.number, broken=True)
        except Exception as error:
            outcome = Outcome(order.number, _portable(error))
        del self._under_way[order.number]
        self._link.say(outcome)


def _portable(error: Exception) -> Exception:
    """The error, as it can be told to the other process, with where it was raised."""
    error.__cause__ = error.__context__ = None
    error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an error's own class raises
        return RuntimeError(repr(error))
    return error
