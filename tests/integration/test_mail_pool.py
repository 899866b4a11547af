"""SMTP connections are reused, bounded and parted from; and a domain whose server hangs delays nobody else's mail."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from faust.types import TP
from sqlalchemy import Connection, and_, event, update

from streamapp.agents import MAILS_IN_LINE
from streamapp.delivery.clerk import Clerk
from streamapp.delivery.mail import MailInDoubt, MailRefused, MailUnavailable, SmtpMail
from streamapp.delivery.mime import Mail
from streamapp.delivery.pool import Pool
from streamapp.delivery.send import Mailer
from streamapp.flow import Flow
from streamapp.identity import Run
from streamapp.jobs import progress
from streamapp.models import Delivery
from streamapp.settings import Settings
from streamapp.smtp_url import parse_smtp_url
from streamapp.store import ledger, outbox
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.reservations import reserve
from streamapp.store.schema import clock, deliveries
from streamapp.tasks.contract import Report
from streamapp.testing.fakes import RecordingDeadLetters
from tests.integration.test_mail import serving
from tests.unit.store.rows import new_job, rows_of

TIMEOUT_S = 60.0
PATIENCE_S = 50.0  # of a test for what should come


class Server:
    """A mail server that notes each mail with the connection it came over, and hangs or refuses as it is told.

    `hang_at` is "MAIL", "RCPT" or "DATA": those whose recipient's domain is `hangs`, or all when that is empty, get no
    answer there until `go`. A connection that has `mails_each` mails answers the next MAIL with `tired`.
    """

    port = 0

    def __init__(self, hang_at: str = "", hangs: str = "", mails_each: int = 0, tired: str = "") -> None:
        self.hang_at, self.hangs, self.mails_each, self.tired = hang_at, hangs, mails_each, tired
        self.go = asyncio.Event()
        self.hanging = 0
        self.rcpt = ""
        self.mails: list[tuple[str, str]] = []  # (recipient, Message-ID), as taken
        self.peers: list[int] = []  # the client's port of each mail that was begun
        self.quits: list[int] = []
        self.transports: dict[int, asyncio.Transport] = {}

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """MAIL FROM."""
        assert session.peer is not None
        peer = int(session.peer[1])
        assert isinstance(server.transport, asyncio.Transport)
        self.transports[peer] = server.transport
        had = self.peers.count(peer)
        self.peers.append(peer)
        if self.mails_each and had >= self.mails_each:
            if self.tired == "drop":
                server.transport.abort()
            elif self.tired == "hang":
                await self.go.wait()
            return self.tired
        await self._perhaps("MAIL", "")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """RCPT TO."""
        if self.rcpt:
            return self.rcpt
        await self._perhaps("RCPT", address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The mail."""
        (recipient,) = envelope.rcpt_tos
        await self._perhaps("DATA", recipient)
        assert isinstance(envelope.content, bytes)
        head = envelope.content.replace(b"\r\n ", b"").partition(b"Message-ID:")[2]
        self.mails.append((recipient, head.split(b"\r\n")[0].decode().strip()))
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Goodbye."""
        assert session.peer is not None
        self.quits.append(int(session.peer[1]))
        await self._perhaps("QUIT", "")
        return "221 Bye"

    async def _perhaps(self, where: str, recipient: str) -> None:
        if where == self.hang_at and recipient.endswith(self.hangs):
            self.hanging += 1
            await self.go.wait()
            self.hanging -= 1

    def to(self, domain: str) -> list[str]:
        """The recipients in that domain whose mail is here."""
        return [recipient for recipient, _ in self.mails if recipient.endswith(domain)]


def smtp(server: Server, connections: int = 8, timeout_s: float = TIMEOUT_S, **options: Any) -> SmtpMail:
    """The client; `options` are the pool's."""
    mail = SmtpMail(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), timeout_s, connections)
    mail.pool = Pool(mail._connection, connections, **options)
    return mail


async def send(mail: SmtpMail, recipient: str = "reader@example.org") -> None:
    """One mail."""
    content = f"From: streamapp@localhost\r\nMessage-ID: <{recipient}>\r\n\r\nAll of it.\r\n".encode()
    await mail.send(Mail("streamapp@localhost", recipient, content))


async def until(look: Callable[[], bool], what: str) -> None:
    """Wait for something to be so."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not look():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"waited in vain for {what}")


async def test_a_connection_is_used_again() -> None:
    """I expect mails one after the other to go over one connection, and a goodbye at the end."""
    async with serving(Server()) as server:
        mail = smtp(server)
        for _ in range(5):
            await send(mail)
        assert len(set(server.peers)) == 1
        assert server.quits == []
        await mail.close()
        assert len(server.quits) == 1
    assert len(server.mails) == 5


async def test_connections_are_bounded() -> None:
    """I expect never more than that many, however much is to be sent at once, and each mail once."""
    async with serving(Server()) as server:
        mail = smtp(server, 3, mails=4)
        await asyncio.gather(*(send(mail, f"{number}@example.org") for number in range(40)))
        open_now = [each for each in server.transports.values() if not each.is_closing()]
        assert len(open_now) <= 3
        await mail.close()
    assert sorted(server.to("example.org")) == sorted(f"{number}@example.org" for number in range(40))


async def test_the_bound_holds_at_each_moment() -> None:
    """I expect the fourth to wait for one of three that hang, and not to open a connection."""
    async with serving(Server(hang_at="DATA")) as server:
        mail = smtp(server, 3)
        sending = [asyncio.create_task(send(mail, f"{number}@example.org")) for number in range(10)]
        await until(lambda: server.hanging == 3, "three conversations")
        await asyncio.sleep(0.2)
        assert len(server.transports) == 3
        server.go.set()
        await asyncio.gather(*sending)
        assert len(set(server.peers)) == 3
        await mail.close()


async def test_a_connection_has_its_number_of_mails() -> None:
    """I expect a new one after that many, and a goodbye to the old one."""
    async with serving(Server()) as server:
        mail = smtp(server, 1, mails=2)
        for _ in range(5):
            await send(mail)
        assert [server.peers.count(peer) for peer in dict.fromkeys(server.peers)] == [2, 2, 1]
        await until(lambda: len(server.quits) == 2, "two goodbyes")
        await mail.close()


async def test_an_idle_connection_is_parted_from() -> None:
    """I expect a goodbye after a while, and the next mail to go over a new connection."""
    async with serving(Server()) as server:
        mail = smtp(server, 1, idle_s=0.05)
        await send(mail)
        await until(lambda: len(server.quits) == 1, "the goodbye")
        await send(mail)
        assert len(set(server.peers)) == 2
        await mail.close()


async def test_a_connection_that_the_server_closed_meanwhile() -> None:
    """I expect the next mail to go over a new one, and its sender to notice nothing."""
    async with serving(Server()) as server:
        mail = smtp(server, 1)
        await send(mail)
        (transport,) = server.transports.values()
        transport.close()
        await asyncio.sleep(0.1)
        await send(mail)
        assert len(set(server.peers)) == 2
        await mail.close()


@pytest.mark.parametrize("tired", ["drop", "421 4.4.2 idle for too long", "452 too many mails", "hang"])
async def test_a_connection_that_turns_out_to_be_closed(tired: str) -> None:
    """I expect whatever a used connection says to MAIL to be no failure of the mail: it goes once, over a new one."""
    async with serving(Server(mails_each=1, tired=tired)) as server:
        mail = smtp(server, 1, timeout_s=8.0 if tired == "hang" else TIMEOUT_S)
        await send(mail, "first@example.org")
        await send(mail, "second@example.org")
        assert server.to("example.org") == ["first@example.org", "second@example.org"]
        assert len(set(server.peers)) == 2
        assert len(server.peers) == 3
        server.go.set()
        await mail.close()


async def test_a_new_connection_is_tried_once() -> None:
    """I expect a server that drops every MAIL to be asked twice at most for one mail, the second time anew."""
    async with serving(Server()) as server:
        mail = smtp(server, 1)
        await send(mail)
        server.mails_each, server.tired = -1, "drop"
        with pytest.raises(MailUnavailable):
            await send(mail)
        assert len(server.peers) == 3
        with pytest.raises(MailUnavailable):
            await send(mail)
        assert len(server.peers) == 4
        await mail.close()


@pytest.mark.parametrize(
    ("answer", "expected"), [("550 no such user", MailRefused), ("450 mailbox busy", MailUnavailable)]
)
async def test_a_failure_closes_its_connection(answer: str, expected: type[Exception]) -> None:
    """I expect the next mail to meet nothing of what the one before met, over a used connection as over a new one."""
    async with serving(Server()) as server:
        mail = smtp(server, 1)
        await send(mail)
        server.rcpt = answer
        with pytest.raises(expected):
            await send(mail)
        server.rcpt = ""
        await send(mail)
        assert [server.peers.count(peer) for peer in dict.fromkeys(server.peers)] == [2, 1]
        await mail.close()


async def test_a_break_after_data_is_in_doubt_on_a_used_connection_too() -> None:
    """I expect no second try by the pool: the ledger decides."""
    async with serving(Server()) as server:
        mail = smtp(server, 1)
        await send(mail)
        server.hang_at = "DATA"
        sending = asyncio.create_task(send(mail))
        await until(lambda: server.hanging == 1, "DATA")
        next(iter(server.transports.values())).abort()
        with pytest.raises(MailInDoubt) as caught:
            await sending
        assert not caught.value.hung
        assert len(server.peers) == 2
        await mail.close()


@pytest.mark.parametrize(("where", "expected"), [("RCPT", MailUnavailable), ("DATA", MailInDoubt)])
async def test_silence_is_told_apart(where: str, expected: type[MailUnavailable]) -> None:
    """I expect a conversation whose time went by to say so, before DATA and after it."""
    async with serving(Server(hang_at=where)) as server:
        mail = smtp(server, 1, timeout_s=0.5)
        with pytest.raises(MailUnavailable) as caught:
            await send(mail)
        assert type(caught.value) is expected
        assert caught.value.hung
        server.go.set()
        await mail.close()


@pytest.mark.parametrize(("where", "expected"), [("RCPT", MailUnavailable), ("DATA", asyncio.CancelledError)])
async def test_a_drain_leaves_doubt_only_after_data(where: str, expected: type[BaseException]) -> None:
    """I expect a mail that was cancelled before DATA to be handed back as not sent."""
    async with serving(Server(hang_at=where)) as server:
        mail = smtp(server, 1)
        sending = asyncio.create_task(send(mail))
        await until(lambda: server.hanging == 1, where)
        sending.cancel()
        (outcome,) = await asyncio.gather(sending, return_exceptions=True)
        assert type(outcome) is expected
        server.go.set()
        server.hang_at = ""
        await send(mail)  # its place is free again
        await mail.close()


async def test_a_goodbye_that_hangs_ends() -> None:
    """I expect closing to take its few seconds, whatever the server does; it hangs until the test is over."""
    async with serving(Server(hang_at="QUIT")) as server:
        mail = smtp(server, 4)
        await asyncio.gather(*(send(mail) for _ in range(4)))
        async with asyncio.timeout(PATIENCE_S):
            await mail.close()
        assert server.hanging > 0
        server.go.set()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A store in a file."""
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    event.listen(database._writing, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    migrate(database)
    yield database
    database.close()


class Topic:
    """The email topic, of one partition, with the agent and the relay at work on it."""

    def __init__(self, database: Database, handle: Callable[[Delivery], Awaitable[None]], mails: int) -> None:
        self._database = database
        self._flow = Flow("email", handle, RecordingDeadLetters(), mails + MAILS_IN_LINE)
        self._found: asyncio.Queue[Delivery] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Topic:
        self._tasks = [asyncio.create_task(self._flow.run(self)), asyncio.create_task(self._relay())]  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._flow.drain(PATIENCE_S)

    @property
    def busy(self) -> int:
        """Messages in the agent's hands."""
        return self._flow.busy

    def publish(self, found: list[Delivery]) -> None:
        """Messages."""
        for each in found:
            self._found.put_nowait(each)

    def noack(self) -> Topic:
        """As it is."""
        return self

    async def events(self) -> Any:
        """One by one."""
        for offset in itertools.count():
            message = SimpleNamespace(tp=TP("email", 0), offset=offset)
            yield SimpleNamespace(value=await self._found.get(), message=message, ack=lambda: True)

    async def _relay(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            mine = [each for each in await self._database.read(ledger.due, 600.0, 500) if each.kind == "email"]
            self.publish([Delivery(each.id) for each in mine])
            await self._database.write(outbox.deliveries_published, mine, [(0, 0)] * len(mine))


def due(database: Database, *recipients: str) -> list[Delivery]:
    """E-mails that are due, of jobs that are done; in one transaction."""
    report = Report(subject="Done", text="All of it.")

    def work(connection: Connection) -> list[Delivery]:
        found: list[Delivery] = []
        for recipient in recipients:
            row = reserve(connection, new_job(email=recipient)).row
            entered = progress._finish(connection, Run(row.tenant, row.id, row.run), None, report)
            found += [Delivery(each.id) for each in entered if each.kind == "email"]
        return found

    return database.write_sync(work)


def hurry(database: Database) -> None:
    """Make what was put off untried due now."""
    waits = and_(deliveries.c.state == "pending", deliveries.c.attempts == 0, deliveries.c.next_attempt_at > clock())
    database.write_sync(
        lambda c: c.execute(update(deliveries).where(waits).values(next_attempt_at=clock() - 1.0)) and None
    )


@pytest.mark.parametrize("where", ["RCPT", "DATA"])
async def test_one_domain_that_hangs_delays_nobody_else(database: Database, tmp_path: Path, where: str) -> None:
    """I expect 20 mails behind 200 to a domain that hangs to be there while it hangs, and then the others to come.

    What hangs has two of the eight conversations. The others to it are put off in the ledger: no attempt is counted,
    and no message of theirs stays unacknowledged.
    """
    slow = due(database, *(f"{number}@hangs.example" for number in range(200)))
    quick = due(database, *(f"{number}@example.org" for number in range(20)))
    settings = Settings(home=tmp_path, mail_concurrency=8, mail_timeout_s=600.0)
    async with serving(Server(hang_at=where, hangs="@hangs.example")) as server:
        mail = smtp(server, settings.mail_concurrency, settings.mail_timeout_s)
        async with Topic(database, Mailer(database, Clerk(mail), settings).deliver, settings.mail_concurrency) as topic:
            topic.publish(slow + quick)
            await until(lambda: len(server.to("@example.org")) == 20, "the others' mail")
            assert (server.hanging, server.to("@hangs.example")) == (2, [])
            await until(lambda: topic.busy == 2, "the rest to be put off")
            assert server.hanging == 2
            rows = [row for row in rows_of(database, deliveries, kind="email") if "hangs" in row.recipient]
            assert sorted((row.state, row.attempts) for row in rows) == [("pending", 0)] * 198 + [("sending", 1)] * 2
            server.go.set()
            hurry(database)  # what then finds the lane full comes back by itself
            await until(lambda: len(server.to("@hangs.example")) >= 30, "what had been put off")
        await mail.close()
    assert len(server.mails) == len(set(server.mails))
    assert len(set(server.peers)) <= 8
    rows = [*rows_of(database, deliveries, kind="email")]
    assert {(row.state, row.attempts, row.in_doubt) for row in rows} <= {("sent", 1, 0), ("pending", 0, 0)}
    assert sum(row.state == "sent" for row in rows) == len(server.mails)


async def test_a_domain_that_hangs_for_good_costs_few_attempts(database: Database, tmp_path: Path) -> None:
    """I expect a conversation that was given up to shut its domain: one probe at a time; the others wait, uncounted."""
    slow = due(database, *(f"{number}@hangs.example" for number in range(50)))
    settings = Settings(home=tmp_path, mail_concurrency=8, mail_timeout_s=1.0, mail_first_retry_s=3600.0)
    async with serving(Server(hang_at="RCPT", hangs="@hangs.example")) as server:
        mail = smtp(server, timeout_s=settings.mail_timeout_s)
        async with Topic(database, Mailer(database, Clerk(mail), settings).deliver, 8) as topic:
            topic.publish(slow)
            await until(lambda: len(server.peers) >= 2, "the first two")
            for _ in range(3):
                begun = len(server.peers)
                while len(server.peers) == begun:
                    hurry(database)
                    await asyncio.sleep(0.1)
                assert len(server.peers) <= begun + 1, "one probe"
        server.go.set()
        await mail.close()
    attempts = [row.attempts for row in rows_of(database, deliveries, kind="email")]
    assert sum(attempts) == len(server.peers) == 5
    assert max(attempts) == 1


async def test_a_whole_queue_to_one_domain_that_answers_goes_out(database: Database, tmp_path: Path) -> None:
    """I expect a burst to one address to be taken over half of the conversations, without one attempt too many."""
    found = due(database, *(["reader@example.org"] * 100))
    settings = Settings(home=tmp_path, mail_concurrency=8)
    async with serving(Server()) as server:
        mail = smtp(server)
        async with Topic(database, Mailer(database, Clerk(mail), settings).deliver, 8) as topic:
            topic.publish(found)
            await until(lambda: len(server.mails) == 100, "the burst")
        await mail.close()
    assert len(set(server.peers)) <= 4
    rows = rows_of(database, deliveries, kind="email")
    assert {(row.state, row.attempts) for row in rows} == {("sent", 1)}
