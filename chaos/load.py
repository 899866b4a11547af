"""The clients: a steady mix of jobs, each with an idempotency key, sent again as real clients do until a 202 comes."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from chaos.texts import Text

__all__ = ["OTHERS", "Accepted", "Load"]

REPEAT_S = 0.4
PER_S = 2.0
OPEN = 25  # clients that wait for their 202 at a time
BACKLOG = 60  # jobs that are accepted and not final: no more are posted meanwhile
NO_SENTENCE = "***"
OTHERS = {"refused": 0.03, "failing": 0.03, "cancelled": 0.02, "late": 0.01, "silent": 0.15}
DOMAINS = 7
HOOKED = 3  # one job of so many has a webhook
LATE_S = 1.2


@dataclass(slots=True)
class Accepted:
    """A job that the intake said 202 to. `kind` says what may become of it, see `chaos.judge.EXPECTED`."""

    id: str
    key: str
    kind: str
    text: str
    email: str | None
    posts: int
    cancelled: bool = False  # the API said so
    other_ids: set[str] = field(default_factory=set)  # what a repeated post was answered: there should be none
    hook: bool = False  # it names a webhook


class Load:
    """Posts until it is told to stop; `backlog` says how many jobs are accepted and not final."""

    def __init__(
        self, url: str, texts: Sequence[Text], chance: random.Random, others: Mapping[str, float] = OTHERS
    ) -> None:
        self.webhook: str | None = None  # where every third job's end is told
        self.accepted: list[Accepted] = []
        self.wrong: list[str] = []
        self.backlog = 0
        self._texts = texts
        self._chance = chance
        self._others = others
        self._numbers = itertools.count()
        self._clients: set[asyncio.Task[None]] = set()
        self._http = httpx.AsyncClient(base_url=url, timeout=8.0, trust_env=False)

    @property
    def full(self) -> bool:
        """Whether enough is under way."""
        return self.open >= OPEN or self.backlog >= BACKLOG

    @property
    def open(self) -> int:
        """Clients that have no 202 yet."""
        return len(self._clients)

    async def run(self, per_s: float = PER_S) -> None:
        """Post at a steady rate, until cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.5, 1.5) / per_s)
            if not self.full:
                self.post(self._kind())

    async def close(self, timeout_s: float = 60.0) -> None:
        """Wait for the clients that are under way."""
        if self._clients:
            _, late = await asyncio.wait(set(self._clients), timeout=timeout_s)
            for task in late:
                task.cancel()
                self.wrong.append(f"{task.get_name()} got no 202 within {timeout_s:.0f} s after the last fault")
        await self._http.aclose()

    def post(self, kind: str, text: str | None = None, *, fresh: bool | None = None) -> None:
        """Send one more job; of a text with that beginning of its id, or any. Not `fresh`: it may be remembered."""
        number = next(self._numbers)
        anew = number % 3 != 0 if fresh is None else fresh
        task = asyncio.create_task(self._client(number, kind, self._pick(text), anew), name=f"client {number}")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    def _kind(self) -> str:
        return self._chance.choices([*self._others, "plain"], [*self._others.values(), 1 - sum(self._others.values())])[
            0
        ]

    def _pick(self, start: str | None) -> Text:
        fitting = [text for text in self._texts if start is None or text.id.startswith(start)]
        return self._chance.choices(fitting, [text.weight for text in fitting])[0]

    async def _client(self, number: int, kind: str, text: Text, fresh: bool) -> None:
        body: dict[str, Any] = {"task": text.task, "text": text.content, "params": text.params}
        body["fresh"] = fresh
        body["email"] = email = None if kind == "silent" else _address(kind, number)
        hook = self.webhook is not None and number % HOOKED == 0
        body["webhook"] = self.webhook if hook else None
        if kind == "failing":
            body |= {"task": "summarize", "text": NO_SENTENCE, "params": {}}
        if kind == "late":
            body["deadline"] = (datetime.now(UTC) + timedelta(seconds=LATE_S)).isoformat()
        key = f"order-{number}"
        identity, posts = await self._until_accepted(body, key)
        if identity is None:
            return
        job = Accepted(
            identity, key, "plain" if kind in ("silent", "burst") else kind, text.id, email, posts, hook=hook
        )
        self.accepted.append(job)
        if kind == "cancelled":
            job.cancelled = await self._cancel(identity)
        elif self._chance.random() < 0.05:
            again, _ = await self._until_accepted(body, key)
            if again not in (None, identity):
                job.other_ids.add(str(again))

    async def _until_accepted(self, body: dict[str, Any], key: str) -> tuple[str | None, int]:
        for posts in itertools.count(1):
            with suppress(httpx.TransportError):
                answer = await self._http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
                if answer.status_code == 202:
                    return str(answer.json()["id"]), posts
                if answer.status_code < 500 and answer.status_code != 429:
                    if "deadline" not in body:  # one that came too late to be accepted
                        self.wrong.append(f"{key} was refused with {answer.status_code}: {answer.text[:200]}")
                    return None, posts
            await asyncio.sleep(REPEAT_S)
        raise AssertionError("unreachable")

    async def _cancel(self, identity: str) -> bool:
        while True:
            with suppress(httpx.TransportError):
                answer = await self._http.delete(f"/v1/jobs/{identity}")
                if answer.status_code < 500:
                    return answer.status_code == 200 and answer.json().get("status") == "cancelled"
            await asyncio.sleep(REPEAT_S)


def _address(kind: str, number: int) -> str:
    """Each its own, over some domains; a burst goes to one, whose lane it fills."""
    name = "refused" if kind == "refused" else "reader"
    return f"{name}-{number}@{'burst' if kind == 'burst' else f'd{number % DOMAINS}'}.test"
