"""Real SMTP conversations with servers that misbehave: what the mailer and the ledger make of each."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from streamapp.delivery.clerk import Clerk
from streamapp.delivery.mail import MailInDoubt, MailRefused, MailUnavailable, SmtpMail
from streamapp.delivery.mime import Mail
from streamapp.delivery.send import Mailer
from streamapp.jobs import progress
from streamapp.models import Delivery
from streamapp.settings import Settings
from streamapp.smtp_url import parse_smtp_url
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.schema import clock, deliveries
from streamapp.tasks.contract import Report
from tests.unit.store.rows import put, reserved, row_of

TIMEOUT_S = 0.8
HANG_S = 5.0


class Server:
    """A mail server whose answers the test sets: an answer is sent, `drop` closes the connection, `hang` says nothing.

    What it took, that is what it answered 250 or has when it dropped the connection, is in `taken`.
    """

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.taken: list[bytes] = []
        self.options: list[str] = []
        self.recipients: list[str] = []
        self.quits = 0
        self.port = 0

    async def answer(self, to: str, server: SMTP, default: str) -> str:
        """What to say to a command."""
        answer = self.answers.get(to, default)
        if answer == "hang":
            await asyncio.sleep(HANG_S)
        if answer == "drop":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """MAIL FROM."""
        envelope.mail_from = address
        self.options = options
        return await self.answer("mail", server, "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """RCPT TO."""
        self.recipients.append(address)
        answer = await self.answer("rcpt", server, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The mail."""
        answer = self.answers.get("data", "250 OK")
        if answer[:3] in ("250", "dro", "han"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(envelope.content)
        return await self.answer("data", server, "250 OK")

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Goodbye."""
        self.quits += 1
        return await self.answer("quit", server, "221 Bye")


class _HasPort(Protocol):
    port: int


S = TypeVar("S", bound=_HasPort)


@asynccontextmanager
async def serving(server: S, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[S]:
    """Serve it on a port of its own."""
    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(server, **{"enable_SMTPUTF8": True, **options}), "127.0.0.1", 0, ssl=tls
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


async def send(url: str, recipient: str = "reader@localhost", text: bytes = b"All of it.\r\n") -> None:
    """One mail."""
    mail = Mail("streamapp@localhost", recipient, b"Subject: Done\r\n\r\n" + text)
    smtp = SmtpMail(parse_smtp_url(url), TIMEOUT_S)
    try:
        await smtp.send(mail)
    finally:
        await smtp.close()


async def test_a_server_that_takes_it() -> None:
    """I expect the mail to be there once, and a proper goodbye."""
    async with serving(Server()) as server:
        await send(f"smtp://127.0.0.1:{server.port}")
    assert len(server.taken) == 1
    assert server.quits == 1


async def test_lines_that_begin_with_a_dot() -> None:
    """I expect none to end the mail, and each to arrive as it was (RFC 5321, 4.5.2)."""
    text = b".\r\n..\r\n.dot\r\na.b\r\n\r\n.\r\n"
    async with serving(Server()) as server:
        await send(f"smtp://127.0.0.1:{server.port}", text=text)
    assert server.taken == [b"Subject: Done\r\n\r\n" + text]


async def test_a_local_part_outside_ascii() -> None:
    """I expect it to go where the server says SMTPUTF8, and to wait where it does not."""
    async with serving(Server()) as server:
        await send(f"smtp://127.0.0.1:{server.port}", "müller@localhost")
        assert server.recipients == ["müller@localhost"]
        assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(server.options)
    async with serving(Server(), enable_SMTPUTF8=False) as server:
        with pytest.raises(MailUnavailable, match="SMTPUTF8"):
            await send(f"smtp://127.0.0.1:{server.port}", "müller@localhost")
        assert server.recipients == []


async def test_a_mail_that_is_too_large_for_the_server() -> None:
    """I expect its size to be said with MAIL, so that it is refused before it is sent (RFC 1870)."""
    async with serving(Server(), data_size_limit=1000) as server:
        with pytest.raises(MailRefused, match="552"):
            await send(f"smtp://127.0.0.1:{server.port}", text=b"x" * 70 + b"\r\n" * 1000)
        assert server.recipients == []


@pytest.mark.parametrize(("at", "expected"), [(b"RCPT", MailUnavailable), (b"DATA", MailInDoubt)])
async def test_a_break_before_the_mail(at: bytes, expected: type[Exception]) -> None:
    """I expect doubt from DATA on, since the library does not tell whether the mail is on its way, and none before."""

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while not (line := await reader.readline()).startswith(at):
            assert line
            writer.write(b"250 OK\r\n")
        writer.close()

    listening = await asyncio.start_server(breaks, "127.0.0.1", 0)
    try:
        with pytest.raises(MailUnavailable) as caught:
            await send(f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    finally:
        listening.close()
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("answers", "expected", "reason"),
    [
        ({"mail": "421 busy"}, MailUnavailable, "421 busy"),
        ({"mail": "451 greylisted"}, MailUnavailable, "451 greylisted"),
        ({"mail": "550 no such sender"}, MailRefused, "550 no such sender"),
        ({"mail": "530 authentication required"}, MailUnavailable, "530"),
        ({"rcpt": "450 mailbox busy"}, MailUnavailable, "450 mailbox busy"),
        ({"rcpt": "550 no such user"}, MailRefused, "550 no such user"),
        ({"rcpt": "drop"}, MailUnavailable, "."),
        ({"rcpt": "hang"}, MailUnavailable, "."),
        ({"data": "421 shutting down"}, MailUnavailable, "421 shutting down"),
        ({"data": "452 disk full"}, MailUnavailable, "452 disk full"),
        ({"data": "554 spam"}, MailRefused, "554 spam"),
        ({"data": "drop"}, MailInDoubt, "."),
        ({"data": "hang"}, MailInDoubt, "."),
    ],
)
async def test_servers_that_do_not(answers: dict[str, str], expected: type[Exception], reason: str) -> None:
    """I expect each failure to be what RFC 5321 says, within the time that a conversation may take."""
    started = time.monotonic()
    async with serving(Server(**answers)) as server:
        with pytest.raises(Exception, match=reason) as caught:
            await send(f"smtp://127.0.0.1:{server.port}")
    assert type(caught.value) is expected
    assert time.monotonic() - started < TIMEOUT_S + 1.5


@pytest.mark.parametrize("goodbye", ["hang", "drop", "500 what?"])
async def test_a_goodbye_that_fails_costs_nothing(goodbye: str) -> None:
    """I expect a mail that was taken to be sent, whatever happens to QUIT: else it would go twice."""
    async with serving(Server(quit=goodbye)) as server:
        await send(f"smtp://127.0.0.1:{server.port}")
    assert len(server.taken) == 1


async def test_nobody_there(unused_port: int) -> None:
    """I expect a refused connection to be tried again later."""
    with pytest.raises(MailUnavailable):
        await send(f"smtp://127.0.0.1:{unused_port}")


@pytest.fixture
async def unused_port() -> int:
    """A port that nobody listens on."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_a_greeting_that_never_comes() -> None:
    """I expect a server that only takes connections to be given up within the time."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        with pytest.raises(MailUnavailable):
            await send(f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    finally:
        listening.close()


async def test_tls_where_there_is_none() -> None:
    """I expect smtps:// and ?starttls=require to a server without TLS to wait, and nothing to be sent in the clear."""
    async with serving(Server()) as server:
        for url in (f"smtps://127.0.0.1:{server.port}", f"smtp://127.0.0.1:{server.port}?starttls=require"):
            with pytest.raises(MailUnavailable):
                await send(url)
    assert server.taken == []


async def test_a_password_where_there_is_no_tls_for_it() -> None:
    """I expect a server that does not take our login to cost no mail."""
    async with serving(Server()) as server:
        with pytest.raises(MailUnavailable):
            await send(f"smtp://me:wrong@127.0.0.1:{server.port}")
    assert server.taken == []


async def test_a_refused_password() -> None:
    """I expect a wrong password to be waited for, and the operator to be told by the reason."""
    async with serving(Server(), auth_require_tls=False, authenticator=lambda *_: _refuse()) as server:
        with pytest.raises(MailUnavailable, match="535"):
            await send(f"smtp://me:wrong@127.0.0.1:{server.port}?starttls=never")
    assert server.taken == []


def _refuse() -> Any:
    return AuthResult(success=False, handled=False)


@pytest.fixture
def database(tmp_path: Path) -> Any:
    """A store in a file."""
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("answers", "in_doubt", "state", "doubts", "taken"),
    [
        ({}, "resend", "sent", 0, 1),
        ({"quit": "drop"}, "resend", "sent", 0, 1),
        ({"rcpt": "550 no such user"}, "resend", "dead", 0, 0),
        ({"data": "554 spam"}, "resend", "dead", 0, 0),
        ({"mail": "421 busy"}, "park", "pending", 0, 0),
        ({"rcpt": "hang"}, "park", "pending", 0, 0),
        ({"data": "drop"}, "resend", "pending", 1, 1),
        ({"data": "drop"}, "park", "parked", 1, 1),
        ({"data": "hang"}, "park", "parked", 1, 1),
    ],
)
async def test_what_the_ledger_says(
    database: Database, tmp_path: Path, answers: dict[str, str], in_doubt: Any, state: str, doubts: int, taken: int
) -> None:
    """I expect the ledger to say what became of the mail, and `in_doubt` only where nobody can know."""
    run = reserved(database, email="reader@example.org")
    due = database.write_sync(progress._finish, run, None, Report(subject="Done", text="All of it."))
    identity = next(each.id for each in due if each.kind == "email")
    async with serving(Server(**answers)) as server:
        smtp = SmtpMail(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), TIMEOUT_S)
        mailer = Mailer(database, Clerk(smtp), Settings(home=tmp_path, mail_timeout_s=TIMEOUT_S, in_doubt=in_doubt))
        await mailer.deliver(Delivery(identity))
    row = row_of(database, deliveries, kind="email")
    assert (row.state, row.in_doubt, len(server.taken)) == (state, doubts, taken)
    if taken:
        assert f"<{identity}@localhost>".encode() in server.taken[0].replace(b"\r\n ", b"")


async def test_sent_again_with_the_same_id(database: Database, tmp_path: Path) -> None:
    """I expect a mail in doubt to go again under its Message-ID, so that a mailbox can tell."""
    run = reserved(database, email="reader@example.org")
    due = database.write_sync(progress._finish, run, None, Report(subject="Done", text="All of it."))
    identity = next(each.id for each in due if each.kind == "email")
    async with serving(Server(data="drop")) as server:
        smtp = SmtpMail(parse_smtp_url(f"smtp://127.0.0.1:{server.port}"), TIMEOUT_S)
        mailer = Mailer(database, Clerk(smtp), Settings(home=tmp_path))
        await mailer.deliver(Delivery(identity))
        server.answers.clear()
        put(database, deliveries, {"id": identity}, next_attempt_at=clock() - 1.0)
        await mailer.deliver(Delivery(identity))
    first, second = (mail.split(b"Message-ID:")[1].split(b"MIME")[0].split() for mail in server.taken)
    assert first[0] == second[0]
    assert row_of(database, deliveries, kind="email").state == "sent"
