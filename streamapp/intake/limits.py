"""A key's limits: how many requests a minute, and how many jobs that have not ended.

Requests are counted with token buckets (`streamapp.intake.buckets`), and by each worker for itself: with several
workers a key has as many times its limit. Jobs are counted in the store, for keys with such a limit alone, and are
those of the key's whole tenant; requests under way count as jobs too, so that many at once do not slip by.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streamapp.intake.asked import Asked
from streamapp.intake.buckets import MINUTE_S, Buckets, OwnBuckets
from streamapp.intake.caller import Caller
from streamapp.intake.refusal import Refused
from streamapp.store import active
from streamapp.store.database import Database

__all__ = ["Limits", "names_of"]

FULL_RETRY_S = 2


class Limits:
    """Both, for one worker. `buckets`: where requests are counted, unless in its memory."""

    def __init__(self, database: Database, buckets: Buckets | None = None) -> None:
        self._database = database
        self._buckets = OwnBuckets() if buckets is None else buckets
        self._coming: Counter[str] = Counter()
        self._lock = threading.Lock()  # a Flask site has threads

    def take(self, caller: Caller) -> dict[str, str]:
        """Count a request. Returns the headers that say what is left; none for a key without a limit.

        Raises `Refused` with 429. Source: RateLimit header fields for HTTP (draft-ietf-httpapi-ratelimit-headers-10).
        """
        if caller.per_minute is None:
            return {}
        most = caller.per_minute
        tokens = self._buckets.take(str(caller.key), most)
        if tokens < 1:
            wait_s = math.ceil((1 - tokens) * MINUTE_S / most)
            detail = f"This key may send {most} requests a minute. Try again in {wait_s} s."
            raise Refused(429, detail, retry_after_s=wait_s, headers=_fields(most, tokens))
        return _fields(most, tokens - 1)

    @asynccontextmanager
    async def room(self, caller: Caller, request: Asked) -> AsyncIterator[None]:
        """Room for one more job, for as long as the block lasts.

        A request that names a job which is there already, by its id or its idempotency key, needs none. Raises
        `Refused` with 429.
        """
        most = caller.active_jobs
        if most is None:
            yield
            return
        self._count(caller.tenant, 1)
        try:
            names = names_of(request.match_info.get("job_id"), request.headers.get("Idempotency-Key"))
            found = await self._database.read(active.look_for_room, caller.tenant, most, *names)
            if found.active + self._coming[caller.tenant] > most and not found.is_there:
                detail = f"{most} jobs of this tenant have not ended, and with this key there may be no more."
                raise Refused(429, detail, retry_after_s=FULL_RETRY_S)
            yield
        finally:
            self._count(caller.tenant, -1)

    def _count(self, tenant: str, change: int) -> None:
        with self._lock:
            self._coming[tenant] += change


def names_of(job: str | None, key: str | None) -> tuple[str | None, str | None]:
    """A job's id and idempotency key as the store may have them; None for what can't be one, which it is not asked."""
    try:
        job = str(uuid.UUID(job)) if job is not None else None
    except ValueError:
        job = None
    return job, key if key is not None and key.isascii() and key.isprintable() else None


def _fields(most: int, left: float) -> dict[str, str]:
    full_s = math.ceil((most - left) * MINUTE_S / most)
    return {"RateLimit-Policy": f'"key";q={most};w=60', "RateLimit": f'"key";r={math.floor(left)};t={full_s}'}
