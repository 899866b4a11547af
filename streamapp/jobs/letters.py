"""The dead letters' desk: what the dead-letter agent stores, and what an operator does about it.

Redriving a message puts its bytes back where they stood, on the same topic and partition, with a header that names the
row, so that a second failure is the same dead letter with one attempt more. The job goes on from where it was: the
chunks that have results keep them. Redriving a delivery makes it due again, with all its attempts.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from streamapp.errors import Permanent
from streamapp.models import DeadLetter
from streamapp.store import dead_letters, decisions
from streamapp.store.bulk import By, discard_letters, note_redriven
from streamapp.store.database import Database
from streamapp.store.dead_letters import Filter, Letter
from streamapp.store.sql import AnyRow

__all__ = ["LetterDesk", "NotRedrivable", "SendRaw"]

logger = logging.getLogger(__name__)

#: Puts raw bytes on a partition: topic, partition, key, value, the row's id for the header. Returns with the ack.
SendRaw = Callable[[str, int, bytes | None, bytes | None, int], Awaitable[None]]


class NotRedrivable(Permanent):
    """There is nothing to redrive: it was discarded, or its bytes were too large to be kept."""


class LetterDesk:
    """Stores, redrives, discards."""

    def __init__(self, database: Database, send: SendRaw) -> None:
        self._database = database
        self._send = send

    async def note(self, record: DeadLetter) -> None:
        """The dead-letter agent's work."""
        value = _bytes(record.value)
        tenant, job = _named(value)
        letter = Letter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=record.reason.replace("\0", "?"),
            at=record.at,
            key=_bytes(record.key),
            value=value,
            tenant=tenant,
            job=job,
            origin=record.origin,
        )
        await self._database.write(dead_letters.note, letter)

    async def redrive(self, row: AnyRow) -> None:
        """Send what failed on its way again. Raises `NotRedrivable`, and `BrokerUnavailable` when that has to wait."""
        if row.state == dead_letters.DISCARDED:
            raise NotRedrivable(f"Dead letter {row.id} was discarded.")
        if row.delivery is not None:
            await self._database.write(_revive, row)
            return
        if row.value is None and row.key is None:
            raise NotRedrivable(f"Dead letter {row.id} has no bytes: the message was empty, or too large to be kept.")
        await self._send(row.topic, row.partition, row.key, row.value, row.id)
        await self._database.write(dead_letters.redriven, row.id)
        logger.info("dead letter %d redriven to %s %d", row.id, row.topic, row.partition)

    async def discard(self, row: AnyRow) -> bool:
        """Do nothing more about it. False when it was not open."""
        return await self._database.write(dead_letters.discard, row.id)

    async def redrive_all(self, rows: Sequence[AnyRow], by: By) -> tuple[int, int]:
        """Send all these on their way again; how many went, and how many could not.

        Raises as `redrive` when that has to wait. What went before is in the audit all the same.
        """
        done, refused = 0, 0
        try:
            for row in rows:
                try:
                    await self.redrive(row)
                    done += 1
                except NotRedrivable:
                    refused += 1
        finally:
            await self._database.write(note_redriven, done, by)
        return done, refused

    async def discard_all(self, rows: Sequence[AnyRow], by: By) -> int:
        """Do nothing more about all these; how many were open."""
        return await self._database.write(discard_letters, [row.id for row in rows], by)

    async def matching(self, wanted: Filter, limit: int) -> list[AnyRow]:
        """Those that match, newest first."""
        return list(await self._database.read(dead_letters.matching, wanted, limit))

    async def find(self, identity: int) -> AnyRow | None:
        """One of them."""
        return await self._database.read(dead_letters.find, identity)


def _revive(connection: Connection, row: AnyRow) -> None:
    if not decisions.revive(connection, row.delivery):
        raise NotRedrivable(f"Delivery {row.delivery} is not given up any more.")
    dead_letters.redriven(connection, row.id)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _named(value: bytes | None) -> tuple[str | None, str | None]:
    """The tenant and the job that a message's bytes name, if they can be read at all."""
    try:
        fields: Any = json.loads(value or b"")
        tenant, job = fields["tenant"], fields["job_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None
    right = _is_name(tenant, 64) and _is_name(job, 36)
    return (tenant, job) if right else (None, None)


def _is_name(value: Any, longest: int) -> bool:
    """Whether it can be a name in the store at all: poison may hold half surrogates, NULs, or no text."""
    return isinstance(value, str) and len(value) <= longest and value.isascii() and value.isprintable()
