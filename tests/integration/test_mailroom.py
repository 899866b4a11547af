"""The process that writes and sends e-mails: what becomes of letters, whatever becomes of it."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamapp.delivery import clerk
from streamapp.delivery.clerk import Clerk
from streamapp.delivery.compose import Letter
from streamapp.delivery.mail import MailInDoubt, MailRefused, MailUnavailable, SmtpMail
from streamapp.delivery.mailroom import Mailroom
from streamapp.errors import Permanent
from streamapp.smtp_url import parse_smtp_url
from streamapp.tasks.contract import Attachment
from tests.integration.test_mail import serving
from tests.integration.test_mail_pool import Server, until
from tests.unit.delivery.test_compose import a_job, a_report

TIMEOUT_S = 60.0


def letter(recipient: str = "reader@example.org", **changes: Any) -> Letter:
    """About a job that succeeded."""
    values: dict[str, Any] = {
        "delivery_id": "d" * 32,
        "sender": "streamapp@localhost",
        "event": "succeeded",
        "job": a_job(),
        "report": a_report(),
        "link_base": "http://localhost",
    }
    return Letter(recipient=recipient, **(values | changes))


@asynccontextmanager
async def open_room(server: Server, timeout_s: float = TIMEOUT_S, grace_s: float = 10.0) -> AsyncIterator[Mailroom]:
    """A mailroom whose clerk is there."""
    room = Mailroom(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), timeout_s, 8, grace_s)
    try:
        await room.open()
        yield room
    finally:
        await room.close()


def clerk_of(room: Mailroom) -> psutil.Process:
    """Its process."""
    assert room._desk is not None
    assert room._desk._process.pid is not None
    return psutil.Process(room._desk._process.pid)


async def test_letters_are_sent_next_door() -> None:
    """I expect many at once to arrive once each over a few connections, and a goodbye to the server at the end."""
    async with serving(Server()) as server:
        async with open_room(server) as room:
            process = clerk_of(room)
            await asyncio.gather(*(room.send(letter(f"{number}@example.org")) for number in range(100)))
            assert process.name() == clerk.NAME
        assert sorted(server.to("@example.org")) == sorted(f"{number}@example.org" for number in range(100))
        assert len(set(server.peers)) <= 8
        await until(lambda: set(server.quits) == set(server.peers), "all goodbyes")
    assert not process.is_running()


async def test_a_letter_of_many_megabytes() -> None:
    """I expect its files to be there."""
    files = [Attachment(name="all.bin", media_type="application/octet-stream", content=os.urandom(6_000_000))]
    async with serving(Server(), data_size_limit=20_000_000) as server, open_room(server) as room:
        await room.send(letter(report=a_report(attachments=files)))
        assert len(server.mails) == 1


async def test_what_goes_wrong_is_what_goes_wrong_here() -> None:
    """I expect the same errors with the same words as in one process, and of a bug where it was raised."""
    async with serving(Server()) as server, open_room(server) as room:
        here = Clerk(SmtpMail(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), TIMEOUT_S))
        server.rcpt = "550 unknown"
        for bad, kind in [(letter(report=None), Permanent), (letter(), MailRefused)]:
            told = []
            for server_ in (here, room):
                with pytest.raises(kind) as raised:
                    await server_.send(bad)
                told.append((type(raised.value), str(raised.value)))
            assert told[0] == told[1]
        with pytest.raises(AttributeError) as raised_:
            await room.send(letter(job=None))
        assert "compose.py" in "".join(raised_.value.__notes__)


async def test_a_server_that_is_away() -> None:
    """I expect that to be said as ever, and the time that was up to be known as that."""
    async with serving(Server(hang_at="RCPT")) as server, open_room(server, timeout_s=0.5) as room:
        with pytest.raises(MailUnavailable) as raised:
            await room.send(letter())
        assert raised.value.hung
    async with open_room(server) as room:  # nobody listens there any more
        with pytest.raises(MailUnavailable, match=r"refused|Connect") as raised:
            await room.send(letter())
        assert not raised.value.hung


async def test_a_clerk_that_is_killed() -> None:
    """I expect the mails that were on their way to be in doubt, and the next letters to go out all the same."""
    async with serving(Server(hang_at="DATA", hangs="@hangs.example")) as server, open_room(server) as room:
        first = clerk_of(room)
        sending = [asyncio.create_task(room.send(letter(f"{at}@hangs.example"))) for at in range(3)]
        await until(lambda: server.hanging == 3, "the mails on their way")
        first.kill()
        for error in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(error, MailInDoubt)
            assert not error.hung
            assert "SIGKILL" in str(error)
        await asyncio.gather(*(room.send(letter(f"{at}@example.org")) for at in range(5)))
        assert len(server.to("@example.org")) == 5
        assert clerk_of(room).pid != first.pid


async def test_a_clerk_that_stands_still() -> None:
    """I expect its letters to be in doubt after their time, it to be ended, and another one to do the next letters."""
    async with serving(Server()) as server, open_room(server, timeout_s=0.3, grace_s=0.7) as room:
        first = clerk_of(room)
        first.suspend()
        errors = await asyncio.gather(*(room.send(letter()) for _ in range(2)), return_exceptions=True)
        assert [type(error) for error in errors] == [MailInDoubt, MailInDoubt]
        room._limit_s = TIMEOUT_S
        await room.send(letter("next@example.org"))  # at once, and not to the one that is ending
        await asyncio.to_thread(first.wait, 20)
        assert server.to("next@example.org") == ["next@example.org"]


@pytest.mark.parametrize(("where", "kind"), [("RCPT", MailUnavailable), ("DATA", asyncio.CancelledError)])
async def test_a_letter_that_is_cancelled(where: str, kind: type[BaseException]) -> None:
    """I expect to hear whether the mail can have gone, and its conversation to be broken off."""
    async with serving(Server(hang_at=where)) as server, open_room(server) as room:
        sending = asyncio.create_task(room.send(letter()))
        await until(lambda: server.hanging == 1, "the conversation")
        sending.cancel()
        with pytest.raises(kind):
            await sending
        await until(lambda: all(each.is_closing() for each in server.transports.values()), "its end")


async def test_a_letter_that_is_cancelled_when_nobody_answers() -> None:
    """I expect the cancel not to be held up by a clerk that stands still."""
    async with serving(Server()) as server, open_room(server) as room:
        process = clerk_of(room)
        process.suspend()
        sending = asyncio.create_task(room.send(letter()))
        await asyncio.sleep(0.1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        process.resume()


async def test_signals_that_mean_all_processes() -> None:
    """I expect Ctrl-C and a service manager's SIGTERM to leave it to the worker to end it."""
    async with serving(Server()) as server, open_room(server) as room:
        process = clerk_of(room)
        await room.send(letter())  # from here on it surely heeds none
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        await room.send(letter())
        assert clerk_of(room).pid == process.pid


async def test_nothing_is_begun_after_the_end() -> None:
    """I expect a closed mailroom to say that it is, and to start no process."""
    async with serving(Server()) as server:
        async with open_room(server) as room:
            pass
        with pytest.raises(MailUnavailable, match="stopping"):
            await room.send(letter())


async def test_a_clerk_that_can_t_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a sentence and another attempt with the next letter."""

    def no_more(*_: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    async with serving(Server()) as server:
        room = Mailroom(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), TIMEOUT_S, 8)
        with monkeypatch.context() as patch:
            patch.setattr("streamapp.delivery.mailroom._fork", no_more)
            await room.open()
            with pytest.raises(MailUnavailable, match=r"can't be started.*Resource"):
                await room.send(letter())
        await room.send(letter())
        await room.close()
        assert len(server.mails) == 1


WORKER = """
import asyncio, sys
from streamapp.delivery.mailroom import Mailroom
from streamapp.smtp_url import parse_smtp_url
from tests.integration.test_mailroom import clerk_of, letter

async def main():
    room = Mailroom(parse_smtp_url(sys.argv[1]), 600, 8)
    await room.open()
    print(clerk_of(room).pid, flush=True)
    await room.send(letter())

asyncio.run(main())
"""


async def test_it_goes_with_its_worker() -> None:
    """I expect a worker's kill -9 to end its clerk at once, in the middle of a mail, as if it were one process."""
    async with serving(Server(hang_at="DATA")) as server:
        url = f"smtp://127.0.0.1:{server.port}"
        command = [sys.executable, "-c", WORKER, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as worker:
            assert worker.stdout is not None
            process = psutil.Process(int(await asyncio.to_thread(worker.stdout.readline)))
            await until(lambda: server.hanging == 1, "the mail on its way")
            worker.kill()
        await asyncio.to_thread(process.wait, 20)
        server.go.set()
        assert all(each.is_closing() for each in server.transports.values())


class _Odd(Exception):
    """Can be pickled, and not be made again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def test_an_error_that_can_t_travel_is_told_in_words() -> None:
    """I expect a clerk not to end by it."""
    assert repr(clerk._portable(_Odd("a", "b"))) == repr(RuntimeError("_Odd('a b')"))
    error = MailUnavailable("421 busy", hung=True)
    again = pickle.loads(pickle.dumps(clerk._portable(error)))
    assert (str(again), again.hung) == ("421 busy", True)
