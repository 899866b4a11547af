"""What admins do over HTTP: dead letters, and mail that is parked in doubt.

Operators see everybody's. An admin of another tenant sees that tenant's; the others are to it as if they did not exist.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from streamapp.errors import BrokerUnavailable
from streamapp.intake.caller import caller_of
from streamapp.intake.handling import LARGEST, no_such, number_of, optional_object
from streamapp.intake.operation import JSON, Answer, operation
from streamapp.intake.query import Query, read_query
from streamapp.intake.refusal import Refused, from_validation
from streamapp.jobs.letters import LetterDesk, NotRedrivable
from streamapp.operator_resources import DeadLetterList, DeadLetterResource
from streamapp.resources import DeliveryResource
from streamapp.store import decisions, ledger
from streamapp.store.bulk import By
from streamapp.store.database import Database
from streamapp.store.dead_letters import Filter
from streamapp.store.present import present_dead_letter, present_delivery
from streamapp.store.sql import AnyRow

__all__ = ["Operators"]

BULK = 1000
PAGE = 100
SETTLE = {"sent": decisions.settle_sent, "resend": decisions.settle_resend}


PATH = {404: "There is no such thing."}
LETTER = {**PATH, 409: "It is not open."}
SETTLED = {**PATH, 409: "It is not parked."}
FILTERED = {422: "A filter is wrong; `errors` names it."}
SIFTED = {**FILTERED, 415: "Its content encoding is not taken."}


class LetterQuery(Query):
    """Which dead letters."""

    state: Literal["open", "redriven", "discarded", "all"] = Field("open", description="What has become of them.")
    topic: str | None = Field(None, description="Of this topic; `email` and `webhook` are also what was given up.")
    job: str | None = Field(None, description="Of this job.")
    reason: str | None = Field(None, description="Whose reason holds these words.")
    cursor: str | None = Field(None, pattern="^[0-9]{1,18}$", description="`next` of the page before.")


class Redriven(BaseModel):
    """How many went back to their topics, and how many could not."""

    redriven: int
    refused: int


class Discarded(BaseModel):
    """How many were discarded."""

    discarded: int


class Parked(BaseModel):
    """E-mails whose fate is open."""

    items: list[DeliveryResource]


@dataclass(frozen=True, slots=True)
class Operators:
    """The handlers, and what they call."""

    desk: LetterDesk
    database: Database

    @operation(
        "Dead letters, newest first", {200: Answer("A page.", DeadLetterList)}, query=LetterQuery, problems=FILTERED
    )
    async def list_letters(self, request: web.Request) -> web.Response:
        """GET /v1/dead-letters?state=&topic=&job=&reason=&cursor=."""
        rows = await self.desk.matching(_filter(request, read_query(request, LetterQuery)), PAGE + 1)
        page = DeadLetterList(
            items=[present_dead_letter(row) for row in rows[:PAGE]],
            next=str(rows[PAGE - 1].id) if len(rows) > PAGE else None,
        )
        return _json(page.model_dump_json())

    @operation("One dead letter, with its bytes", {200: Answer("It.", DeadLetterResource)}, problems=PATH)
    async def show_letter(self, request: web.Request, letter: str) -> web.Response:
        """GET /v1/dead-letters/{id}: with the message's bytes."""
        row = await self._row(request, letter)
        resource = present_dead_letter(row)
        resource.value = None if row.value is None else base64.b64encode(row.value).decode("ascii")
        return _json(resource.model_dump_json())

    @operation("Put one back on its topic", {200: Answer("It, redriven.", DeadLetterResource)}, problems=LETTER)
    async def redrive_letter(self, request: web.Request, letter: str) -> web.Response:
        """POST /v1/dead-letters/{id}/redrive."""
        return await self._redrive(await self._row(request, letter))

    @operation("Give one up for good", {200: Answer("It, discarded.", DeadLetterResource)}, problems=LETTER)
    async def discard_letter(self, request: web.Request, letter: str) -> web.Response:
        """POST /v1/dead-letters/{id}/discard."""
        row = await self._row(request, letter)
        if not await self.desk.discard(row):
            raise Refused(409, f"Dead letter {row.id} is not open; it is {row.state}.")
        return await self.show_letter(request, letter)

    @operation(
        "Redrive all that match",
        {200: Answer("How many.", Redriven)},
        bodies={JSON: LetterQuery},
        problems=SIFTED,
    )
    async def redrive_letters(self, request: web.Request) -> web.Response:
        """POST /v1/dead-letters/redrive: all that match the body's filter."""
        query = await _body(request)
        rows = await self.desk.matching(_filter(request, query), BULK)
        with _broker():
            done, refused = await self.desk.redrive_all(rows, _by(request, query))
        return _json(Redriven(redriven=done, refused=refused).model_dump_json())

    @operation(
        "Discard all that match",
        {200: Answer("How many.", Discarded)},
        bodies={JSON: LetterQuery},
        problems=SIFTED,
    )
    async def discard_letters(self, request: web.Request) -> web.Response:
        """POST /v1/dead-letters/discard: all that match the body's filter."""
        query = await _body(request)
        rows = await self.desk.matching(_filter(request, query), BULK)
        return _json(Discarded(discarded=await self.desk.discard_all(rows, _by(request, query))).model_dump_json())

    @operation("E-mails that are parked in doubt", {200: Answer("The first of them.", Parked)})
    async def list_parked(self, request: web.Request) -> web.Response:
        """GET /v1/deliveries/parked: e-mails whose fate a crash left open, under the policy `park`."""
        rows = await self.database.read(decisions.parked, PAGE, caller_of(request).sees)
        return _json(Parked(items=[present_delivery(row) for row in rows]).model_dump_json())

    @operation("Say what became of a parked e-mail", {200: Answer("It, settled.", DeliveryResource)}, problems=SETTLED)
    async def settle(self, request: web.Request, delivery: str, how: str) -> web.Response:
        """POST /v1/deliveries/{id}/sent or …/resend: what became of a parked e-mail."""
        if how not in SETTLE:
            raise Refused(404, f"There is nothing at {request.path}.")
        found = await self.database.read(ledger.get, delivery)
        if found is None or not _seen(request, found):
            raise no_such("delivery")
        settled = await self.database.write(SETTLE[how], delivery)
        row = await self.database.read(ledger.get, delivery)
        if not settled or row is None:  # it may have gone with its job since
            raise Refused(409, f"This delivery is not parked; it is {row.state if row else 'removed'}.")
        return _json(present_delivery(row).model_dump_json())

    async def _redrive(self, row: AnyRow) -> web.Response:
        with _broker():
            await self.desk.redrive(row)
        found = await self.desk.find(row.id)
        return _json(_present(found).model_dump_json())

    async def _row(self, request: web.Request, letter: str) -> AnyRow:
        number = number_of(letter)
        row = None if number is None else await self.desk.find(number)
        if row is None or not _seen(request, row):
            raise Refused(404, "There is no such dead letter.")
        return row


def _seen(request: web.Request, row: AnyRow | None) -> bool:
    """Whether it is there for who asks."""
    return row is not None and caller_of(request).sees in (None, row.tenant)


def _present(row: AnyRow | None) -> DeadLetterResource:
    if row is None:
        raise Refused(404, "There is no such dead letter.")
    return present_dead_letter(row)


@contextmanager
def _broker() -> Iterator[None]:
    try:
        yield
    except NotRedrivable as error:
        raise Refused(409, str(error)) from error
    except BrokerUnavailable as error:
        raise Refused(503, f"Kafka does not take it right now: {error}", retry_after_s=5) from error


async def _body(request: web.Request) -> LetterQuery:
    """Which of them a body means. Raises `Refused` where it says nothing: that would be all of them, for good."""
    try:
        query = LetterQuery.model_validate(await optional_object(request))
    except ValidationError as error:
        raise from_validation(error, known=LetterQuery.model_fields) from error
    if not (query.topic or query.job or query.reason or "state" in query.model_fields_set):
        detail = 'Say which dead letters: topic, job or reason, or {"state": "open"} for all that are open.'
        raise Refused(422, detail, field="topic")
    return query


def _by(request: web.Request, query: LetterQuery) -> By:
    caller = caller_of(request)
    return By(caller.tenant, caller.key, query.model_dump(exclude_unset=True, exclude={"cursor"}))


def _filter(request: web.Request, query: LetterQuery) -> Filter:
    return Filter(
        state=None if query.state == "all" else query.state,
        topic=query.topic,
        job=query.job,
        reason=query.reason,
        before=None if query.cursor is None else min(int(query.cursor), LARGEST),
        tenant=caller_of(request).sees,
    )


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
