"""What admins do over HTTP: dead letters, and mail that is parked in doubt.

Operators see everybody's. An admin of another tenant sees that tenant's; the others are to it as if they did not exist.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from streamapp.errors import BrokerUnavailable
from streamapp.intake.caller import caller_of
from streamapp.intake.jsontext import parse_object
from streamapp.intake.refusal import Refused
from streamapp.jobs.letters import LetterDesk, NotRedrivable
from streamapp.resources import DeadLetterList, DeadLetterResource
from streamapp.store import ledger
from streamapp.store.database import Database
from streamapp.store.dead_letters import Filter
from streamapp.store.present import present_dead_letter, present_delivery
from streamapp.store.sql import AnyRow

__all__ = ["Operators"]

STATES = ("open", "redriven", "discarded")
BULK = 1000
PAGE = 100
SETTLE = {"sent": ledger.settle_sent, "resend": ledger.settle_resend}


@dataclass(frozen=True, slots=True)
class Operators:
    """The handlers, and what they call."""

    desk: LetterDesk
    database: Database

    async def list_letters(self, request: web.Request) -> web.Response:
        """GET /v1/dead-letters?state=&topic=&job=&reason=&cursor=."""
        rows = await self.desk.matching(_filter(request, dict(request.query)), PAGE + 1)
        page = DeadLetterList(
            items=[present_dead_letter(row) for row in rows[:PAGE]],
            next=str(rows[PAGE - 1].id) if len(rows) > PAGE else None,
        )
        return _json(page.model_dump_json())

    async def show_letter(self, request: web.Request, letter: str) -> web.Response:
        """GET /v1/dead-letters/{id}: with the message's bytes."""
        row = await self._row(request, letter)
        resource = present_dead_letter(row)
        resource.value = None if row.value is None else base64.b64encode(row.value).decode("ascii")
        return _json(resource.model_dump_json())

    async def redrive_letter(self, request: web.Request, letter: str) -> web.Response:
        """POST /v1/dead-letters/{id}/redrive."""
        return await self._redrive(await self._row(request, letter))

    async def discard_letter(self, request: web.Request, letter: str) -> web.Response:
        """POST /v1/dead-letters/{id}/discard."""
        row = await self._row(request, letter)
        if not await self.desk.discard(row):
            raise Refused(409, f"Dead letter {row.id} is not open; it is {row.state}.")
        return await self.show_letter(request, letter)

    async def redrive_letters(self, request: web.Request) -> web.Response:
        """POST /v1/dead-letters/redrive: all that match the body's filter."""
        done, refused = 0, 0
        for row in await self.desk.matching(_filter(request, await _body(request)), BULK):
            try:
                await self._redrive(row)
                done += 1
            except Refused as error:
                if error.problem.status == 503:
                    raise
                refused += 1
        return web.json_response({"redriven": done, "refused": refused})

    async def discard_letters(self, request: web.Request) -> web.Response:
        """POST /v1/dead-letters/discard: all that match the body's filter."""
        rows = await self.desk.matching(_filter(request, await _body(request)), BULK)
        return web.json_response({"discarded": sum([await self.desk.discard(row) for row in rows])})

    async def list_parked(self, request: web.Request) -> web.Response:
        """GET /v1/deliveries/parked: e-mails whose fate a crash left open, under the policy `park`."""
        rows = await self.database.read(ledger.parked, PAGE, caller_of(request).sees)
        return web.json_response({"items": [present_delivery(row).model_dump(mode="json") for row in rows]})

    async def settle(self, request: web.Request, delivery: str, how: str) -> web.Response:
        """POST /v1/deliveries/{id}/sent or …/resend: what became of a parked e-mail."""
        if how not in SETTLE:
            raise Refused(404, f"There is nothing at {request.path}.")
        found = await self.database.read(ledger.get, delivery)
        if not _seen(request, found) or not await self.database.write(SETTLE[how], delivery):
            raise Refused(409, "There is no such delivery, or it is not parked.")
        row = await self.database.read(ledger.get, delivery)
        assert row is not None
        return _json(present_delivery(row).model_dump_json())

    async def _redrive(self, row: AnyRow) -> web.Response:
        try:
            await self.desk.redrive(row)
        except NotRedrivable as error:
            raise Refused(409, str(error)) from error
        except BrokerUnavailable as error:
            raise Refused(503, f"Kafka does not take it right now: {error}", retry_after_s=5) from error
        found = await self.desk.find(row.id)
        return _json(_present(found).model_dump_json())

    async def _row(self, request: web.Request, letter: str) -> AnyRow:
        row = await self.desk.find(int(letter)) if letter.isascii() and letter.isdigit() and len(letter) < 19 else None
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


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    return parse_object(raw) if raw else {}


def _filter(request: web.Request, fields: dict[str, Any]) -> Filter:
    known = {"state", "topic", "job", "reason", "cursor"}
    for name, value in fields.items():
        if name not in known:
            raise Refused(422, f"{name}: there is no such filter; there are {', '.join(sorted(known))}.", field=name)
        if not isinstance(value, str):
            raise Refused(422, f"{name}: it must be text.", field=name)
    state = fields.get("state", "open")
    if state not in (*STATES, "all"):
        raise Refused(422, f"state: one of {', '.join(STATES)} or all.", field="state")
    cursor = fields.get("cursor")
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Refused(422, "cursor: this is no cursor of this API.", field="cursor")
    return Filter(
        state=None if state == "all" else state,
        topic=fields.get("topic"),
        job=fields.get("job"),
        reason=fields.get("reason"),
        before=None if cursor is None else int(cursor),
        tenant=caller_of(request).sees,
    )


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
