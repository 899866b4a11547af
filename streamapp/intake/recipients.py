"""Who may be sent e-mails, and how many, so that nobody is buried in mail by somebody who has a key.

Only a job with an `email` is looked at, and the store is asked only where a limit is set: one statement for both. What
counts is the jobs accepted in the last hour that ask for an e-mail, whatever becomes of them, and those under way, so
that many at once do not slip by.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parseaddr

from streamapp.intake.limits import names_of
from streamapp.intake.refusal import Refused
from streamapp.settings import Settings
from streamapp.store.active import is_there
from streamapp.store.database import Database
from streamapp.store.recipients import asked_for

__all__ = ["Recipients"]

RETRY_S = 600


class Recipients:
    """The allow-list of domains, and both limits, for one worker."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._domains = frozenset(domain.lower().lstrip("@") for domain in settings.mail_domains)
        self._always = parseaddr(settings.mail_to)[1]
        self._most_to = settings.mail_per_recipient
        self._most_by = settings.mail_per_tenant
        self._to: Counter[str] = Counter()
        self._by: Counter[str] = Counter()
        self._lock = threading.Lock()  # a Flask site has threads

    @asynccontextmanager
    async def room(self, tenant: str, email: str, job: str | None, key: str | None) -> AsyncIterator[None]:
        """Room for one more e-mail, for as long as the block lasts; a job that is there already has its room.

        Raises `Refused`: 422 for a domain that is not on the list, 429 where there were too many.
        """
        self._check_domain(email)
        self._count(tenant, email, 1)
        try:
            if self._most_to or self._most_by:
                await self._check(tenant, email, job, key)
            yield
        finally:
            self._count(tenant, email, -1)

    def _count(self, tenant: str, email: str, change: int) -> None:
        with self._lock:
            for coming, name in ((self._to, email), (self._by, tenant)):
                coming[name] += change
                if not coming[name]:
                    del coming[name]

    def _check_domain(self, email: str) -> None:
        domain = email.rpartition("@")[2].lower()
        if self._domains and domain not in self._domains and email != self._always:
            there = ", ".join(sorted(self._domains))
            raise Refused(422, f"E-mails go to addresses at {there} only, not at {domain}.", field="email")

    async def _check(self, tenant: str, email: str, job: str | None, key: str | None) -> None:
        asked = await self._database.read(asked_for, email, self._most_to, tenant, self._most_by)
        if self._most_to and asked.to + self._to[email] > self._most_to:
            detail = (
                f"In the last hour {self._most_to} e-mails to this address were asked for, which is all there may be."
            )
        elif self._most_by and asked.by + self._by[tenant] > self._most_by:
            detail = f"In the last hour this tenant asked for {self._most_by} e-mails, which is all there may be."
        else:
            return
        if not await self._database.read(is_there, tenant, *names_of(job, key)):
            raise Refused(429, detail, field="email", retry_after_s=RETRY_S)
