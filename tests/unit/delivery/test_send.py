"""The mailer: claim, send, settle; and what each way it can go wrong leaves in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from streamapp.delivery import pool, send
from streamapp.delivery.compose import Letter
from streamapp.delivery.mail import MailInDoubt, MailRefused, MailUnavailable
from streamapp.delivery.send import Mailer, Notifier
from streamapp.errors import StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs import progress
from streamapp.models import Delivery
from streamapp.retry import Backoff
from streamapp.settings import Settings
from streamapp.store import ledger, mailing
from streamapp.store.database import Database
from streamapp.store.dueness import LONGEST_LEASE_S
from streamapp.store.ledger import Due
from streamapp.store.schema import clock, deliveries, jobs
from streamapp.store.schema import inbox as lines
from streamapp.store.sql import AnyRow
from streamapp.store.upkeep import dead_letters
from streamapp.tasks.contract import Report
from streamapp.testing import fakes
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


@pytest.mark.parametrize("expected", [True, False])
async def test_whose_recipient_is_known_is_not_looked_up(
    database: Database, email: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: bool
) -> None:
    """I expect a mail that this worker has announced itself to be claimed at once, and sent once all the same."""
    server = RecordingMail()
    post = mailer(database, server, tmp_path)
    due = Due("email", email.delivery_id, recipient="reader@example.org")
    looks: list[Any] = []
    read = database.read

    async def reading(work: Callable[..., Any], *args: Any) -> Any:
        looks.append(work)
        return await read(work, *args)

    monkeypatch.setattr(database, "read", reading)
    for times in range(2):
        if expected:
            post.expect([due])
        await post.deliver(email)
        assert len(looks) == (0 if expected else times + 1)
    assert len(server.sent) == 1


async def test_recipients_are_forgotten(
    database: Database, email: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect only the newest to be remembered, and one that is not to be looked up."""
    monkeypatch.setattr(send, "REMEMBERED", 2)
    post = mailer(database, server := RecordingMail(), tmp_path)
    post.expect([Due("email", identity, recipient="a@b.org") for identity in (email.delivery_id, "x", "y")])
    assert list(post._recipients) == ["x", "y"]
    await post.deliver(email)
    assert [recipient for recipient, _ in server.sent] == ["reader@example.org"]


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
    letter = row_of(database, dead_letters)
    assert (letter.delivery, letter.reason, letter.attempts) == (email.delivery_id, "421 busy", 3)


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
    assert row_of(database, dead_letters).reason == "550 no such user"


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

    def compose(_: Letter) -> None:
        raise KeyError("template")

    monkeypatch.setattr(fakes, "compose", compose)
    await mailer(database, RecordingMail(), tmp_path).deliver(email)
    row = ledger_row(database)
    assert row.state == "dead"
    assert "KeyError('template')" in row.last_error


async def test_a_store_that_is_away_before_the_mail(
    database: Database, email: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect nothing to be claimed where the content can't be read, so that its message is worked on again."""

    def content(*_: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("locked"))

    monkeypatch.setattr(mailing, "content", content)
    server = RecordingMail()
    with pytest.raises(StoreUnavailable):
        await mailer(database, server, tmp_path, in_doubt="park").deliver(email)
    row = ledger_row(database)
    assert (row.state, row.attempts, row.in_doubt, row.lease_owner) == ("pending", 0, 0, None)
    assert server.sent == []


async def test_a_mail_whose_job_is_gone_is_dead(
    database: Database, email: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a content that makes no sense to be on record with the claim, and not to be tried for ever."""
    monkeypatch.setattr(mailing, "present_job", lambda *_, **__: None)
    await mailer(database, RecordingMail(), tmp_path).deliver(email)
    row = ledger_row(database)
    assert (row.state, row.attempts) == ("dead", 1)
    assert "names a job that is gone" in row.last_error


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
        if work is not mailing.claim and away:
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


class SlowMail(RecordingMail):
    """A server that begins with each mail at once, and takes it when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def send(self, letter: Letter) -> None:
        """Wait, and take it."""
        self.begun.set()
        await self.go.wait()
        await super().send(letter)


def emails(database: Database, *recipients: str) -> list[Delivery]:
    """A job that is done for each of these, with its e-mail that is due."""
    report = Report(subject="Done", text="All of it.")
    found = []
    for recipient in recipients:
        run = reserved(database, email=recipient)
        due = database.write_sync(progress._finish, run, None, report)
        found.append(Delivery(next(each.id for each in due if each.kind == "email")))
    return found


def ahead(database: Database, email: Delivery, column: str) -> float:
    """How far a time in an e-mail's row is ahead of the database's clock, in seconds."""
    query = select(deliveries.c[column] - clock()).where(deliveries.c.id == email.delivery_id)
    found: float = database.read_sync(lambda connection: connection.execute(query).scalar_one())
    return found


async def test_a_clock_that_jumps_ahead_repeats_nothing(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect a lease that seems to have run out to be left alone by the worker that is sending at this moment."""
    server = SlowMail()
    post = mailer(database, server, tmp_path)
    first = asyncio.create_task(post.deliver(email))
    await server.begun.wait()
    put(database, deliveries, {"id": email.delivery_id}, lease_until=clock() - 1.0)
    again = asyncio.create_task(post.deliver(email))
    await asyncio.wait({again}, timeout=10)
    assert again.done()
    server.go.set()
    await first
    row = ledger_row(database)
    assert (len(server.sent), row.state, row.attempts, row.in_doubt) == (1, "sent", 1, 0)


@pytest.mark.parametrize("timeout_s", [0.5, 60.0, 600.0])
async def test_the_lease_outlasts_the_conversation(
    database: Database, email: Delivery, tmp_path: Path, timeout_s: float
) -> None:
    """I expect nobody to take a mail for lost while its conversation may go on, and no lease to look like a jump."""
    left: list[float] = []

    class Looking(RecordingMail):
        async def send(self, letter: Letter) -> None:
            left.append(ahead(database, email, "lease_until"))

    await mailer(database, Looking(), tmp_path, mail_timeout_s=timeout_s).deliver(email)
    assert left[0] > timeout_s + pool.QUIT_S + 10.0
    assert left[0] < LONGEST_LEASE_S


async def test_the_first_retry_is_set(database: Database, email: Delivery, tmp_path: Path) -> None:
    """I expect the first wait to be the setting's, less at most half of it, and the next to be twice as long."""
    post = mailer(database, RecordingMail([MailUnavailable("421")] * 2), tmp_path, mail_first_retry_s=1000.0)
    for low, high in ((500.0, 1000.0), (1000.0, 2000.0)):
        await post.deliver(email)
        assert low - 60.0 < ahead(database, email, "next_attempt_at") <= high
        put(database, deliveries, {"id": email.delivery_id}, next_attempt_at=clock() - 1.0)


async def test_a_domain_that_hangs_costs_one_attempt(database: Database, tmp_path: Path) -> None:
    """I expect the others to it to be put off, untried, unpublished and uncounted, and other domains to be served."""
    server = RecordingMail([MailUnavailable("TimeoutError", hung=True)])
    post = mailer(database, server, tmp_path)
    first, second, other = emails(database, "a@hangs.example", "b@Hangs.EXAMPLE", "c@example.org")
    for each in (second, other):
        put(database, deliveries, {"id": each.delivery_id}, published_at=clock())
    await post.deliver(first)
    await post.deliver(second)
    await post.deliver(other)
    assert [recipient for recipient, _ in server.sent] == ["c@example.org"]
    row = row_of(database, deliveries, id=second.delivery_id)
    assert (row.state, row.attempts, row.last_error, row.published_at) == ("pending", 0, None, None)
    assert 0.0 < ahead(database, second, "next_attempt_at") <= 75.0


@pytest.mark.parametrize("failure", [MailUnavailable("421 busy"), MailInDoubt("broken"), MailRefused("550 who?")])
async def test_only_silence_shuts_a_domain(database: Database, tmp_path: Path, failure: Exception) -> None:
    """I expect a domain whose server answers, with whatever, to be tried with the next mail at once."""
    server = RecordingMail([failure])
    post = mailer(database, server, tmp_path)
    for each in emails(database, "a@example.org", "b@example.org"):
        await post.deliver(each)
    assert [recipient for recipient, _ in server.sent] == ["b@example.org"]


async def test_old_mail_to_a_domain_that_hangs_has_an_end(database: Database, tmp_path: Path) -> None:
    """I expect what has waited for more than a day to pay for the turns it does not get, and to be given up."""
    server = RecordingMail([MailUnavailable("TimeoutError", hung=True)])
    post = mailer(database, server, tmp_path, mail_attempts=2)
    first, old = emails(database, "a@hangs.example", "b@hangs.example")
    put(database, deliveries, {"id": old.delivery_id}, created_at=clock() - 25 * 3600.0)
    await post.deliver(first)
    await post.deliver(old)
    row = row_of(database, deliveries, id=old.delivery_id)
    assert (row.state, row.attempts) == ("pending", 1)
    put(database, deliveries, {"id": old.delivery_id}, next_attempt_at=clock() - 1.0)
    await post.deliver(old)
    row = row_of(database, deliveries, id=old.delivery_id)
    assert (row.state, row.last_error) == ("dead", "the mail server for hangs.example does not answer")
    assert row_of(database, dead_letters).delivery == old.delivery_id
    assert server.sent == []


async def test_a_failed_run_s_mail_does_not_swallow_the_next_one_s(database: Database, tmp_path: Path) -> None:
    """I expect a run that fails, one that fails again and one that succeeds to send a mail each, with its own id."""
    run = reserved(database, email="reader@example.org")
    server = RecordingMail()
    post = mailer(database, server, tmp_path)
    for number, ending in enumerate(("failed", "failed", "succeeded"), 1):
        mine = Run(run.tenant, run.job, number)
        put(database, jobs, {"id": run.job}, run=number, status="queued", error=None)
        if ending == "failed":
            due = database.write_sync(progress._end, mine, "failed", f"reason {number}")
        else:
            due = database.write_sync(progress._finish, mine, None, Report(subject="Done", text="All of it."))
        (identity,) = (each.id for each in due if each.kind == "email")
        await post.deliver(Delivery(identity))
        await post.deliver(Delivery(identity))
    assert len(server.sent) == 3
    assert len({message["Message-ID"] for _, message in server.sent}) == 3
    assert "reason 2" in server.sent[1][1].as_string()
    assert server.sent[2][1]["Subject"] == "Done"


async def test_a_failed_job_tells_its_user(database: Database, tmp_path: Path) -> None:
    """I expect an e-mail and a line in the inbox that say what happened."""
    run = reserved(database, email="reader@example.org")
    due = database.write_sync(progress._end, run, "failed", "the document is no PDF")
    server = RecordingMail()
    for each in due:
        work = mailer(database, server, tmp_path) if each.kind == "email" else Notifier(database)
        await work.deliver(Delivery(each.id))
    ((recipient, message),) = server.sent
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    assert recipient == "reader@example.org"
    assert "could not be finished" in message["Subject"]
    assert "the document is no PDF" in body.get_content()
    (line,) = rows_of(database, lines)
    assert "could not be finished" in line.title
    assert "the document is no PDF" in line.body
    assert {row.state for row in rows_of(database, deliveries)} == {"sent"}


async def test_an_e_mail_is_begun_before_its_message_comes(database: Database, tmp_path: Path) -> None:
    """I expect it to be sent once; the message waits for it, and a message that comes later looks nothing up."""
    server = SlowMail()
    post = mailer(database, server, tmp_path)
    (first,) = emails(database, "a@example.org")
    due = [Due("email", first.delivery_id, recipient="a@example.org")]
    post.expect(due)
    post.begin(due)
    await server.begun.wait()
    agent = asyncio.create_task(post.deliver(first))
    await asyncio.sleep(0.05)
    assert not agent.done(), "nothing is acknowledged while it is under way"
    server.go.set()
    await agent
    assert [recipient for recipient, _ in server.sent] == ["a@example.org"]
    assert ledger_row(database).state == "sent"
    assert await post.begun.drain(5.0)


async def test_an_e_mail_that_was_begun_and_put_off_comes_again(database: Database, tmp_path: Path) -> None:
    """I expect the next attempt's message, with the same id, to be worked on and not taken for done."""
    server = RecordingMail([MailUnavailable("421 busy")])
    post = mailer(database, server, tmp_path)
    (mail,) = emails(database, "a@example.org")
    post.begin([Due("email", mail.delivery_id, recipient="a@example.org")])
    async with asyncio.timeout(10):
        while ledger_row(database).attempts != 1 or ledger_row(database).state != "pending":
            await asyncio.sleep(0.01)
    assert server.sent == []
    put(database, deliveries, {"kind": "email"}, next_attempt_at=clock() - 1.0)
    await post.deliver(mail)
    assert len(server.sent) == 1
    assert ledger_row(database).state == "sent"
