"""The worker that is fuzzed: on a broker of its own, with keys, and with what one tenant alone may see."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, insert

from fuzz.shot import Target
from fuzz.strangers import Things
from streamapp.store.schema import clock, deliveries
from streamapp.store.upkeep import dead_letters
from streamapp.testing.broker import kafka_broker
from streamapp.testing.deployment import Deployment, until
from streamapp.testing.keys import bearer, database_of, make_key

__all__ = ["ROOT", "Ground", "ground"]

ROOT = Path(__file__).resolve().parents[1]
ALL = ("submit", "read", "admin")
MiB = 1 << 20
LETTER = 123_456_789
PARKED = "ca" * 32
SETTINGS = {
    "STREAMAPP_ONLY_TASKS": "echo",
    "STREAMAPP_DEFAULT_TASK": "echo",
    "STREAMAPP_DEVICE": "cpu",
    "STREAMAPP_TORCH_THREADS": "1",
    "STREAMAPP_MAX_BODY_BYTES": str(MiB),
    "STREAMAPP_MAX_DOCUMENT_BYTES": str(8 * MiB),
    # refusals because there is no room are right, and 5xx; here they would hide those that are not
    "STREAMAPP_UPLOADS": "200",
    "STREAMAPP_MIN_FREE_MB": "0",
}
OWN_JOBS = 4


@dataclass(frozen=True, slots=True)
class Ground:
    """The worker, where shots go, what carol has, and the keys that no other generator uses."""

    deployment: Deployment
    target: Target
    hers: Things
    stranger: str
    described: str


@contextmanager
def ground(code: Path | None = None) -> Iterator[Ground]:
    """Everything started, in a temporary folder. `code` is the folder of another package to run."""
    settings = SETTINGS if code is None else {**SETTINGS, "PYTHONPATH": str(code)}
    with kafka_broker() as broker, tempfile.TemporaryDirectory(prefix="streamapp-fuzz-") as folder:
        deployment = Deployment(broker, Path(folder), settings)
        deployment.code = code or deployment.code
        with deployment:
            yield _peopled(deployment)


def _peopled(deployment: Deployment) -> Ground:
    def key(tenant: str, *scopes: str, **limits: int) -> str:
        return make_key(deployment, tenant, scopes or ALL, **limits)

    operator = key("default")
    keys = {
        "anna": key("anna"),
        "reader": key("anna", "read"),
        "sender": key("anna", "submit"),
        "hurried": key("anna", per_minute=600, active_jobs=50),
        "operator": operator,
    }
    jobs = [_done(deployment, keys["anna"], f"Line {number}.") for number in range(OWN_JOBS)]
    target = Target(deployment.port, keys, jobs, (b"A line.\n" * 400_000,))
    return Ground(deployment, target, _carols(deployment, key("carol")), key("bert"), operator)


def _done(deployment: Deployment, key: str, text: str) -> str:
    job = deployment.submit({"task": "echo", "text": text, "email": "reader@localhost"}, **bearer(key))
    until(lambda: _is_done(deployment, key, job), 60.0, "a job to end")
    return job


def _is_done(deployment: Deployment, key: str, job: str) -> bool:
    return bool(_read(deployment, key, f"/v1/jobs/{job}")["status"] == "succeeded")


def _read(deployment: Deployment, key: str, path: str) -> dict[str, Any]:
    answer = httpx.get(deployment.url + path, headers=bearer(key), trust_env=False)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _carols(deployment: Deployment, key: str) -> Things:
    job = _done(deployment, key, "Carol's own words.")
    lines: Any = until(lambda: _read(deployment, key, "/v1/notifications")["items"], 30.0, "carol's notification")
    database = database_of(deployment)
    try:
        database.write_sync(_give_up, job)
    finally:
        database.close()
    return Things(job, lines[0]["id"], LETTER, PARKED)


def _give_up(connection: Connection, job: str) -> None:
    """A dead letter and a parked e-mail of that job."""
    whose: Mapping[str, Any] = {"tenant": "carol", "job": job, "attempts": 1}
    parked = {"event": "done", "kind": "email", "recipient": "carol@localhost", "state": "parked"}
    connection.execute(insert(deliveries).values(id=PARKED, run=1, in_doubt=1, created_at=clock(), **whose, **parked))
    about = {"source": "here", "state": "open", "reason": "why", "first_seen": clock(), "last_seen": clock()}
    connection.execute(insert(dead_letters).values(id=LETTER, **about, **whose))
