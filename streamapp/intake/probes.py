"""What balancers and alarms ask of a worker: whether it lives, whether it is ready, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from streamapp.intake.metrics import counted, render
from streamapp.intake.operation import Answer, operation
from streamapp.intake.refusal import Refused
from streamapp.jobs.insight import Insight
from streamapp.resources import Health, Readiness
from streamapp.store.database import Database

__all__ = ["Probes"]

CAUGHT_UP_S = 1.0  # in which a worker that has joined reads the beats that came while it was away


@dataclass(frozen=True, slots=True)
class Probes:
    """The handlers, and what they call.

    `joined` says whether this worker is in its consumer group, `member_s` how many seconds ago it first joined,
    `closed` why no new work is taken now, or None, `trouble` how the model workers that it keeps ended last, or
    None, and `keep_ending` the same of those that ended more than once lately.
    """

    database: Database
    insight: Insight
    joined: Callable[[], bool]
    member_s: Callable[[], float]
    closed: Callable[[], str | None] = lambda: None
    trouble: Callable[[], str | None] = lambda: None
    keep_ending: Callable[[], str | None] = lambda: None

    @operation("Whether this process answers", {200: Answer("It does.", Health)})
    async def health(self, request: web.Request) -> web.Response:
        """GET /healthz: this process answers."""
        return web.json_response({"status": "ok"})

    @operation("Whether this worker can do its work", {200: Answer("It can.", Readiness)})
    async def ready(self, request: web.Request) -> web.Response:
        """GET /readyz: this worker is in its consumer group, and a model worker lives.

        Work that is refused does not make it unready: a balancer must go on sending what reads. Nor does a model
        worker that keeps ending while another lives.
        """
        waits = []
        if not self.joined():
            waits.append("this worker is not in its consumer group yet")
        # one that was heard of before does not count: it may have ended together with the jobs worker that was here
        # before, or a beat that had waited may have brought it to life for a while
        since_s = self.member_s() - CAUGHT_UP_S
        if not any(worker.seen_s < since_s for worker in await self.insight.workers()):
            waits.append(self.trouble() or "no model worker has been heard of yet")
        if waits:
            raise Refused(503, f"Not ready: {', and '.join(waits)}.", retry_after_s=2)
        closed, ending = self.closed(), self.keep_ending()
        said = {**({"detail": f"No new work: {closed}"} if closed else {}), **({"warning": ending} if ending else {})}
        return web.json_response({"status": "ready", **said})

    @operation("Figures for Prometheus", {200: Answer("Text.", {"type": "string"}, media_type="text/plain")})
    async def metrics(self, request: web.Request) -> web.Response:
        """GET /metrics, in Prometheus' text format."""
        text = render(await self.database.read(counted), await self.insight.overview())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
