"""Dead letters by filter, and parked mail: never all of them unasked, written down, and what is not there is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from streamapp.errors import BrokerUnavailable
from streamapp.intake.operators import Operators
from streamapp.jobs.letters import LetterDesk
from streamapp.store import dead_letters, ledger
from streamapp.store.audit import audit
from streamapp.store.database import Database
from streamapp.store.dead_letters import Letter
from streamapp.store.schema import deliveries
from streamapp.store.upkeep import dead_letters as rows
from tests.unit.intake.serving import served
from tests.unit.store.rows import put, reserved, rows_of

LETTER = Letter("inference", 1, 0, "Invalid JSON", 1000.0, None, b"{", "anna", None, None)
CHIEF = {"As": "chief"}


class World:
    """The handlers on a store, and what they put on topics; `most` is how much the broker takes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sent: list[int] = []
        self.most = 100
        self.operators = Operators(LetterDesk(database, self._send), database)
        self.client: ClientSession

    async def _send(self, topic: str, partition: int, key: bytes | None, value: bytes | None, letter: int) -> None:
        if len(self.sent) >= self.most:
            raise BrokerUnavailable("it is away")
        self.sent.append(letter)

    async def call(self, what: str, fields: dict[str, Any] | None, expected: int = 200, who: str = "chief") -> Any:
        """The answer to a POST."""
        answer = await self.client.post(f"/v1/dead-letters/{what}", json=fields, headers={"As": who})
        assert answer.status == expected, await answer.text()
        return await answer.json()

    def states(self) -> list[str]:
        """Of all letters, by their ids."""
        return [row.state for row in sorted(rows_of(self.database, rows))]

    def audited(self) -> list[tuple[Any, ...]]:
        """The lines, without their times."""
        return [(row.tenant, row.key, row.what, row.filter, row.changed) for row in rows_of(self.database, audit)]


@pytest_asyncio.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Three letters of anna's, of which the last has no bytes, and one of ben's."""
    letters = (LETTER, LETTER, replace(LETTER, value=None), replace(LETTER, tenant="ben"))
    for offset, letter in enumerate(letters):
        database.write_sync(dead_letters.note, replace(letter, offset=offset))
    made = World(database)
    async with served(
        ("POST", "/v1/dead-letters/redrive", made.operators.redrive_letters),
        ("POST", "/v1/dead-letters/discard", made.operators.discard_letters),
        ("POST", "/v1/deliveries/{delivery}/{how}", made.operators.settle),
    ) as made.client:
        yield made


@pytest.mark.parametrize("what", ["redrive", "discard"])
@pytest.mark.parametrize("fields", [None, {}, {"topic": None}, {"reason": ""}, {"cursor": "9"}])
async def test_no_filter_is_refused(world: World, what: str, fields: dict[str, Any] | None) -> None:
    """I expect 422 that says what to give, and nothing to be done: a discard is for good."""
    said = await world.call(what, fields, 422)
    assert "Say which dead letters: topic, job or reason" in said["detail"]
    assert (world.states(), world.sent, world.audited()) == (["open"] * 4, [], [])


async def test_all_that_are_open_may_be_said(world: World) -> None:
    """I expect those of the tenant, where the state says that all are meant, and a line with who and how many."""
    assert await world.call("discard", {"state": "open"}) == {"discarded": 3}
    assert world.states() == ["discarded"] * 3 + ["open"]
    assert world.audited() == [("anna", "key-2", "discard", '{"state": "open"}', 3)]


async def test_what_matches_goes_back(world: World) -> None:
    """I expect those with bytes on their topics, and a line with how many those are."""
    assert await world.call("redrive", {"topic": "inference", "cursor": "4"}) == {"redriven": 2, "refused": 1}
    assert world.states() == ["redriven", "redriven", "open", "open"]
    assert world.audited() == [("anna", "key-2", "redrive", '{"topic": "inference"}', 2)]


async def test_what_went_before_the_broker_left_is_written_down(world: World) -> None:
    """I expect 503, and the line to have the one that went."""
    world.database.write_sync(dead_letters.discard, 3)  # what has no bytes asks no broker
    world.most = 1
    await world.call("redrive", {"reason": "json"}, 503)
    assert [line[-1] for line in world.audited()] == [1]


async def test_a_delivery_that_is_not_there_and_one_that_is_not_parked(world: World, database: Database) -> None:
    """I expect 404 for the one, also where it is another tenant's, and 409 with its state for the other."""
    mine, others = (
        database.write_sync(ledger.enter, reserved(database, tenant=tenant), "succeeded", "email", "a@example.org").id
        for tenant in ("anna", "ben")
    )
    for delivery, status, detail in (
        ("none", 404, "There is no such delivery."),
        (others, 404, "There is no such delivery."),
        (mine, 409, "This delivery is not parked; it is pending."),
    ):
        answer = await world.client.post(f"/v1/deliveries/{delivery}/sent", headers=CHIEF)
        assert (answer.status, (await answer.json())["detail"]) == (status, detail)
    put(database, deliveries, {"id": mine}, state="parked")
    answer = await world.client.post(f"/v1/deliveries/{mine}/sent", headers=CHIEF)
    assert (answer.status, (await answer.json())["state"]) == (200, "sent")
