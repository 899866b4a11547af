"""Who may be sent e-mails, and how many in an hour."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from streamapp.intake.recipients import Recipients
from streamapp.intake.refusal import Refused
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.schema import clock, jobs
from tests.unit.store.rows import put, reserved


async def send(
    recipients: Recipients, email: str = "anna@example.org", tenant: str = "anna", **named: str
) -> tuple[int, str] | None:
    """The status of a refusal and the field that it names; None when the e-mail is all right."""
    try:
        async with recipients.room(tenant, email, named.get("job"), named.get("key")):
            await asyncio.sleep(0)
    except Refused as error:
        return error.problem.status, error.problem.errors[0].field
    return None


def limited(database: Any, **settings: Any) -> Recipients:
    """With these settings."""
    return Recipients(database, Settings(**settings))


@pytest.mark.parametrize(
    ("email", "may"),
    [
        ("anna@example.org", True),
        ("anna@EXAMPLE.org", True),
        ("anna@books.example", True),
        ("anna@mail.example.org", False),
        ("anna@example.org.evil.example", False),
        ("anna@notexample.org", False),
        ('"x@example.org"@evil.example', False),
        ("reader@localhost", True),
        ("other@localhost", False),
    ],
)
async def test_domains(database: Database, email: str, may: bool) -> None:
    """I expect those on the list and no others, subdomains neither, and the operators' own address always."""
    recipients = limited(database, mail_domains=("example.org", "@Books.example"))
    assert await send(recipients, email) == (None if may else (422, "email"))


async def test_without_settings_nobody_is_asked() -> None:
    """I expect no query where nothing is limited."""
    assert await send(limited(None)) is None
    assert await send(limited(None, mail_domains=("example.org",))) is None


async def test_to_one_address(database: Database) -> None:
    """I expect the jobs of all tenants in the last hour to count, and those before, or without, not to."""
    recipients = limited(database, mail_per_recipient=2)
    old = reserved(database, email="anna@example.org")
    put(database, jobs, {"id": old.job}, created_at=clock() - 3601)
    reserved(database)
    reserved(database, email="bert@example.org")
    reserved(database, "bert", email="anna@example.org")
    assert await send(recipients) is None
    young = reserved(database, email="anna@example.org")
    put(database, jobs, {"id": young.job}, created_at=clock() - 3500)
    assert await send(recipients) == (429, "email")
    assert await send(recipients, "bert@example.org") is None


async def test_by_one_tenant(database: Database) -> None:
    """I expect its jobs with an e-mail in the last hour to count, to whomever they go."""
    recipients = limited(database, mail_per_tenant=2)
    for number in range(2):
        assert await send(recipients) is None
        reserved(database, email=f"reader{number}@example.org")
        reserved(database, "bert", email=f"reader{number}@example.org")
        reserved(database)
    assert await send(recipients) == (429, "email")
    assert await send(recipients, tenant="carl") is None


@pytest.mark.parametrize("limit", ["mail_per_recipient", "mail_per_tenant"])
async def test_many_at_once_do_not_slip_by(database: Database, limit: str) -> None:
    """I expect requests under way to count, and to be forgotten when they are done or were refused."""
    recipients = limited(database, **{limit: 3})
    reserved(database, email="anna@example.org")
    through = await asyncio.gather(*(send(recipients) for _ in range(20)))
    assert through.count(None) <= 2
    assert await send(recipients) is None
    assert not recipients._to
    assert not recipients._by


async def test_what_is_there_may_be_sent_again(database: Database) -> None:
    """I expect a repeated request to be let through, whose own job is one of those that were counted."""
    recipients = limited(database, mail_per_recipient=1)
    run = reserved(database, id=str(uuid.uuid4()), email="anna@example.org", idempotency_key="mine")
    assert await send(recipients, job=run.job) is None
    assert await send(recipients, key="mine") is None
    assert await send(recipients, job=str(uuid.uuid4()), key="other") == (429, "email")
    assert await send(recipients, tenant="bert", key="mine") == (429, "email")


def test_counting_takes_the_indexes(database: Database) -> None:
    """I expect neither count to look through the jobs of years."""
    sql = (
        "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE email = 'a' AND created_at > 1 LIMIT 5)",
        "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE tenant = 'a' AND email IS NOT NULL AND created_at > 1 LIMIT 5)",
    )
    with database.connection() as connection:
        plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}").all()) for each in sql]
    assert "jobs_by_recipient" in plans[0]
    assert "jobs_by_age (tenant=? AND created_at>?)" in plans[1]
