"""The mailer: claim, send, settle; and what each way it can go wrong leaves in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from streamapp.delivery import send
from streamapp.delivery.mail import MailInDoubt, MailRefused, MailUnavailable
from streamapp.delivery.send import Mailer, Notifier
from streamapp.errors import StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs import progress
from streamapp.models import Delivery
from streamapp.retry import Backoff
from streamapp.settings import Settings
from streamapp.store import ledger
from streamapp.store.database import Database
from streamapp.store.schema import clock, deliveries
from streamapp.store.schema import inbox as lines
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report
from streamapp.testing.fakes import RecordingMail
from tests.unit.store.rows import put, reserved, row_of, rows_of


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the store takes no time."""
    monkeypatch.setattr(send, "Backoff", lambda: Backoff(0.0, 0.0))


@pytest.fixture
def email(database: Database) -> Delivery:
    """A job that is done, and its e-mail that is due."""
    run = reserved(database, email="reader@example.org")
    due = database.write_sync(progress._finish, run, None, Report(subject="Done", text="All of it."))
    return Delivery(next(each.id for each in due if each.kind == "email"))


def mailer(database: Database, server: RecordingMail, folder: Path, **settings: Any) -> Mailer:
    """A mailer with these settings."""
    return Mailer(database, server, Settings(home=folder, **settings))


def ledger_row(database: Database) -> AnyRow:
    """The e-mail's row."""
    return row_of(database, deliveries, kind="email")


async def test_it_is_sent_once(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect one mail however often its message comes, also at the same moment."""
    server = RecordingMail()
    post = mailer(database, server, tmp_path)
    await asyncio.gather(*(post.deliver(email) for _ in range(5)))
    await post.deliver(email)
    ((recipient, message),) = server.sent
    assert recipient == "reader@example.org"
    assert message["Message-ID"].startswith(f"<{email.delivery_id}@")
    assert ledger_row(database).state == "sent"


async def test_an_unknown_delivery_is_nothing(database: Database, tmp_path: Path) -> None:
    """I expect a message about a delivery that is gone to be let be."""
    server = RecordingMail()
    await mailer(database, server, tmp_path).deliver(Delivery("unknown"))
    assert server.sent == []


async def test_a_server_that_is_busy(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect the mail to be due again later, with the same Message-ID, and then to be sent."""
    server = RecordingMail([MailUnavailable("421 busy")])
    post = mailer(database, server, tmp_path)
    await post.deliver(email)
    row = ledger_row(database)
    assert (row.state, row.last_error, row.attempts, row.published_at) == ("pending", "421 busy", 1, None)
    await post.deliver(email)
    assert server.sent == []
    put(database, deliveries, {"id": email.delivery_id}, next_attempt_at=clock() - 1.0)
    await post.deliver(email)
    assert len(server.sent) == 1
    assert ledger_row(database).state == "sent"


async def test_attempts_are_bounded(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect a mail to be given up after the last attempt, with the last reason."""
    post = mailer(database, RecordingMail([MailUnavailable("421 busy")] * 9), tmp_path, mail_attempts=3)
    for _ in range(4):
        await post.deliver(email)
        put(database, deliveries, {"id": email.delivery_id}, next_attempt_at=clock() - 1.0)
    row = ledger_row(database)
    assert (row.state, row.attempts, row.last_error) == ("dead", 3, "421 busy")


async def test_a_mail_that_kills_its_worker_is_given_up(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect claims that nobody settled to count as attempts."""
    server = RecordingMail()
    for number in range(3):
        database.write_sync(ledger.claim, email.delivery_id, f"dead {number}", 90.0, "resend")
        put(database, deliveries, {"id": email.delivery_id}, lease_until=clock() - 1.0)
    await mailer(database, server, tmp_path, mail_attempts=3).deliver(email)
    assert ledger_row(database).state == "dead"
    assert server.sent == []


async def test_a_refused_mail_is_dead_at_once(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect one attempt and the server's reason."""
    server = RecordingMail([MailRefused("550 no such user")])
    await mailer(database, server, tmp_path).deliver(email)
    row = ledger_row(database)
    assert (row.state, row.last_error, row.attempts) == ("dead", "550 no such user", 1)


@pytest.mark.parametrize(("policy", "state"), [("resend", "pending"), ("park", "parked")])
async def test_a_break_in_doubt(database: Database, email: Delivery, tmp_path: Path, policy: str, state: str) -> None:
    """I expect a conversation that broke before the answer to be tried again or to wait for an operator, as set."""
    server = RecordingMail([MailInDoubt("the connection broke")])
    await mailer(database, server, tmp_path, in_doubt=policy).deliver(email)
    row = ledger_row(database)
    assert (row.state, row.in_doubt, row.last_error) == (state, 1, "the connection broke")


async def test_a_plain_failure_parks_nothing(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect what certainly was not sent to be tried again under either policy."""
    await mailer(database, RecordingMail([MailUnavailable("421")]), tmp_path, in_doubt="park").deliver(email)
    row = ledger_row(database)
    assert (row.state, row.in_doubt) == ("pending", 0)


async def test_a_mail_that_can_t_be_made_is_dead(
    database: Database, email: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a bug in making it to be on record, and not to leave it as being sent for ever."""

    def compose(**_: Any) -> None:
        raise KeyError("template")

    monkeypatch.setattr(send, "compose", compose)
    await mailer(database, RecordingMail(), tmp_path).deliver(email)
    row = ledger_row(database)
    assert row.state == "dead"
    assert "KeyError('template')" in row.last_error


async def test_a_store_that_is_away_before_the_mail(
    database: Database, email: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect the claim to be given back, since nothing was sent, and no doubt to be raised."""

    async def read(*_: Any) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(database, "read", read)
    server = RecordingMail()
    await mailer(database, server, tmp_path, in_doubt="park").deliver(email)
    row = ledger_row(database)
    assert (row.state, row.in_doubt, row.lease_owner) == ("pending", 0, None)
    assert server.sent == []


@pytest.mark.parametrize("failure", [None, MailUnavailable("421"), MailRefused("550")])
async def test_a_store_that_is_away_after_the_mail(
    database: Database,
    email: Delivery,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception | None,
) -> None:
    """I expect only the write to be repeated, never the mail, whatever became of it."""
    real, away = database.write, 5

    async def write(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal away
        if work is not ledger.claim and away:
            away -= 1
            raise StoreUnavailable("full")
        return await real(work, *args, **kwargs)

    monkeypatch.setattr(database, "write", write)
    server = RecordingMail([failure] if failure else [])
    await mailer(database, server, tmp_path).deliver(email)
    assert away == 0
    assert len(server.sent) == (0 if failure else 1)
    assert (
        ledger_row(database).state
        == {type(None): "sent", MailUnavailable: "pending", MailRefused: "dead"}[type(failure)]
    )


async def test_a_notification_is_one_line(database: Database, email: Delivery) -> None:
    """I expect the inbox to have it once, however often its message comes."""
    identity = row_of(database, deliveries, kind="notification").id
    notifier = Notifier(database)
    await asyncio.gather(*(notifier.deliver(Delivery(identity)) for _ in range(3)))
    (line,) = rows_of(database, lines)
    assert line.tenant == "anna"


def test_a_job_s_end_is_told_once(database: Database) -> None:
    """I expect a second end, or an end after a cancel, to enter no delivery."""
    run: Run = reserved(database, email="reader@example.org")
    report = Report(subject="Done", text="All of it.")
    assert len(database.write_sync(progress._finish, run, None, report)) == 2
    assert database.write_sync(progress._finish, run, None, report) == []
    assert database.write_sync(progress._end, run, "failed", "late") == []

    def states(connection: Connection) -> list[str]:
        return [row.event for row in ledger.of_job(connection, run)]

    assert database.read_sync(states) == ["succeeded", "succeeded"]
