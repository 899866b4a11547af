"""The courier: claim, post, settle; and what each way it can go wrong leaves in the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from streamapp.delivery import webhooks
from streamapp.delivery.post import WebhookRefused, WebhookUnavailable
from streamapp.delivery.target import Target
from streamapp.delivery.webhooks import Courier
from streamapp.errors import StoreUnavailable
from streamapp.identity import Run
from streamapp.jobs import progress
from streamapp.jobs.letters import LetterDesk
from streamapp.models import Delivery
from streamapp.retry import Backoff
from streamapp.settings import Settings
from streamapp.store import ledger, posting, webhook_secrets
from streamapp.store.database import Database
from streamapp.store.dueness import LONGEST_DELAY_S
from streamapp.store.schema import clock, deliveries
from streamapp.store.sql import AnyRow
from streamapp.store.upkeep import dead_letters
from streamapp.tasks.contract import Report
from streamapp.testing.fakes import RecordingPosts
from tests.unit.store.rows import put, reserved, row_of, rows_of

URL = "https://receiver.example/hook"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the store takes no time."""
    monkeypatch.setattr(webhooks, "Backoff", lambda: Backoff(0.0, 0.0))


@pytest.fixture
def hook(database: Database) -> Delivery:
    """A job that is done, and its webhook that is due."""
    return due(database, reserved(database, webhook=URL))


def due(database: Database, run: Run) -> Delivery:
    """The webhook of that job, which ends."""
    ended = database.write_sync(progress._finish, run, None, Report(subject="Done", text="All of it."))
    return Delivery(next(each.id for each in ended if each.kind == "webhook"))


def courier(database: Database, posts: Any, folder: Path, **settings: Any) -> Courier:
    """A courier with these settings."""
    return Courier(database, posts, Settings(home=folder, **settings))


def the_row(database: Database) -> AnyRow:
    """The webhook's row."""
    return row_of(database, deliveries, kind="webhook")


def make_due(database: Database) -> None:
    """The time of the next attempt has come."""
    put(database, deliveries, {"kind": "webhook"}, next_attempt_at=clock() - 1.0)


async def test_it_is_posted_and_signed(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect one post however often its message comes, that a client can verify, under the delivery's id."""
    posts = RecordingPosts()
    agent = courier(database, posts, tmp_path)
    await asyncio.gather(*(agent.deliver(hook) for _ in range(5)))
    await agent.deliver(hook)
    ((url, headers, body),) = posts.taken
    (secret,) = database.write_sync(webhook_secrets.current, "anna")
    assert Webhook(secret.secret).verify(body, headers)["data"]["report"]["text"] == "All of it."
    assert (url, headers["webhook-id"]) == (URL, hook.delivery_id)
    assert (the_row(database).state, the_row(database).attempts) == ("sent", 1)


async def test_while_secrets_are_changed(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect a signature by each."""
    (old,) = database.write_sync(webhook_secrets.current, "anna")
    new = database.write_sync(webhook_secrets.rotate, "anna", 60.0)
    posts = RecordingPosts()
    await courier(database, posts, tmp_path).deliver(hook)
    ((_, headers, body),) = posts.taken
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        assert Webhook(secret.secret).verify(body, headers)


async def test_a_receiver_that_is_away(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect it to be due later, untouched till then, and then the same again under the same id."""
    posts = RecordingPosts([WebhookUnavailable("502 Bad Gateway")])
    agent = courier(database, posts, tmp_path)
    await agent.deliver(hook)
    row = the_row(database)
    assert (row.state, row.last_error, row.attempts, row.published_at) == ("pending", "502 Bad Gateway", 1, None)
    await agent.deliver(hook)
    assert posts.taken == []
    make_due(database)
    await agent.deliver(hook)
    assert [headers["webhook-id"] for _, headers, _ in posts.taken] == [hook.delivery_id]
    assert (the_row(database).state, the_row(database).attempts) == ("sent", 2)


@pytest.mark.parametrize(("asked", "least", "most"), [(0, 2, 5), (600, 600, 600), (10**9, 3600, LONGEST_DELAY_S)])
async def test_what_a_receiver_asks_for(
    asked: float, least: float, most: float, database: Database, hook: Delivery, tmp_path: Path
) -> None:
    """I expect its Retry-After to be kept, within an hour."""
    await courier(database, RecordingPosts([WebhookUnavailable("503", after_s=asked)]), tmp_path).deliver(hook)
    with database.connection() as connection:
        wait_s = the_row(database).next_attempt_at - connection.execute(select(clock())).scalar_one()
    assert least - 2 <= wait_s <= most


async def test_given_up_and_redriven(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect a dead letter after the last attempt, and all attempts again when it is redriven."""
    posts = RecordingPosts([WebhookUnavailable("500")] * 2)
    agent = courier(database, posts, tmp_path, webhook_attempts=2)
    for _ in range(3):
        await agent.deliver(hook)
        make_due(database)
    assert (the_row(database).state, the_row(database).attempts, the_row(database).last_error) == ("dead", 2, "500")
    letter = row_of(database, dead_letters)
    assert (letter.delivery, letter.reason, letter.state) == (hook.delivery_id, "500", "open")

    async def nothing(*_: Any) -> None:
        raise AssertionError("a delivery is no message")

    await LetterDesk(database, nothing).redrive(letter)
    await agent.deliver(hook)
    assert (the_row(database).state, len(posts.taken)) == ("sent", 1)
    assert row_of(database, dead_letters).state == "redriven"


async def test_a_receiver_that_wants_no_more(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect it to be given up at once."""
    await courier(database, RecordingPosts([WebhookRefused("410 Gone")]), tmp_path).deliver(hook)
    assert (the_row(database).state, the_row(database).attempts) == ("dead", 1)


async def test_a_url_that_the_rules_refuse_by_now(database: Database, tmp_path: Path) -> None:
    """I expect it to be checked again at the attempt, and given up with the reason."""
    posts = RecordingPosts()
    hook = due(database, reserved(database, webhook="http://127.0.0.1:6070/"))
    await courier(database, posts, tmp_path, web_host="0.0.0.0").deliver(hook)
    assert posts.taken == []
    assert "https://" in the_row(database).last_error
    assert the_row(database).state == "dead"


async def test_one_in_doubt_is_posted_again(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect a claim whose worker died to be taken over, also under the policy that parks e-mails."""
    posts = RecordingPosts()
    agent = courier(database, posts, tmp_path, in_doubt="park")
    assert database.write_sync(posting.claim_webhook, hook.delivery_id, "dead", 60.0)
    await agent.deliver(hook)
    assert posts.taken == []
    put(database, deliveries, {"kind": "webhook"}, lease_until=clock() - 1.0)
    await agent.deliver(hook)
    assert len(posts.taken) == 1
    row = the_row(database)
    assert (row.state, row.in_doubt, row.attempts) == ("sent", 1, 2)


async def test_what_kills_its_worker_is_given_up(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect claims that nobody settled to count as attempts."""
    posts = RecordingPosts()
    for _ in range(3):
        assert database.write_sync(posting.claim_webhook, hook.delivery_id, "dead", 60.0)
        put(database, deliveries, {"kind": "webhook"}, lease_until=clock() - 1.0)
    await courier(database, posts, tmp_path, webhook_attempts=3).deliver(hook)
    assert (the_row(database).state, posts.taken) == ("dead", [])


async def test_a_job_that_is_gone(database: Database, hook: Delivery, tmp_path: Path) -> None:
    """I expect what can't be made to be given up, with the reason."""
    put(database, deliveries, {"kind": "webhook"}, job="gone")
    await courier(database, RecordingPosts(), tmp_path).deliver(hook)
    assert the_row(database).state == "dead"
    assert "gone" in the_row(database).last_error


async def test_the_store_is_away_after_the_post(
    database: Database, hook: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect only the note to be repeated."""
    times = iter(range(3))
    real = ledger.sent

    def sent(*args: Any) -> bool:
        if next(times, None) is not None:
            raise StoreUnavailable("away")
        return real(*args)

    monkeypatch.setattr(ledger, "sent", sent)
    posts = RecordingPosts()
    await courier(database, posts, tmp_path).deliver(hook)
    assert (len(posts.taken), the_row(database).state) == (1, "sent")


class Hanging(RecordingPosts):
    """Hangs for one host until its time is up, and takes what goes to others."""

    def __init__(self) -> None:
        super().__init__()
        self.hung = 0
        self.up = asyncio.Event()

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> None:
        """Take it, or hang."""
        if target.host == "hangs.example":
            self.hung += 1
            await self.up.wait()
            raise WebhookUnavailable("it did not answer", hung=True)
        await super().post(target, headers, body)


async def test_one_host_that_hangs_delays_nobody_else(database: Database, tmp_path: Path) -> None:
    """I expect a good host's webhooks to go out while as many as there are places wait for one that hangs."""
    bad = [due(database, reserved(database, webhook=f"https://hangs.example/{n}")) for n in range(6)]
    good = [due(database, reserved(database, webhook=f"https://good.example/{n}")) for n in range(6)]
    posts = Hanging()
    agent = courier(database, posts, tmp_path, webhook_concurrency=4)
    stuck = [asyncio.create_task(agent.deliver(each)) for each in bad]
    await asyncio.sleep(0)
    for each in good:
        await agent.deliver(each)
    assert len(posts.taken) == 6
    assert posts.hung == 1  # a quarter of the places
    posts.up.set()
    await asyncio.gather(*stuck)
    states = {row.state for row in rows_of(database, deliveries, kind="webhook") if "hangs" in row.recipient}
    assert states == {"pending"}


async def test_no_secret_is_logged(
    database: Database, hook: Delivery, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """I expect none in what is logged, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    failures = [WebhookUnavailable("500"), RuntimeError("a bug")]
    agent = courier(database, RecordingPosts(failures), tmp_path)
    for _ in range(2):
        await agent.deliver(hook)
        make_due(database)
    (secret,) = database.write_sync(webhook_secrets.current, "anna")
    assert the_row(database).state == "dead"
    assert secret.secret not in caplog.text
    assert "whsec_" not in caplog.text
    assert "a bug" in caplog.text
