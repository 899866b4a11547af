"""Every route, with a request to it that is right but for its ids: what generators start from and depart from.

A test compares the list with `streamapp.paths`.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.shot import Target

__all__ = ["PLACES", "Place", "filled", "form", "identity"]

JOB = {"task": "echo", "text": "A line.", "params": {"chunk": 100}, "priority": 1}
JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
STREAMS = ("/events", "/stream")
OFTEN = ("/v1/jobs", "/v1/jobs/{job_id}", "/kafka/pushToConsumers", "/ui/jobs")


@dataclass(frozen=True, slots=True)
class Place:
    """A method, a path as it was registered, and a body that it takes."""

    method: str
    path: str
    body: bytes = b""
    kind: str = ""

    @property
    def streams(self) -> bool:
        """Whether its answer has no end."""
        return self.method == "GET" and self.path.endswith(STREAMS)


def _reads(*paths: str) -> list[Place]:
    return [Place(method, path) for path in paths for method in ("GET", "HEAD")]


def _writes(method: str, body: object, *paths: str) -> list[Place]:
    return [Place(method, path, json.dumps(body).encode(), JSON) for path in paths]


def _forms(body: bytes, *paths: str) -> list[Place]:
    return [Place("POST", path, body, URLENCODED) for path in paths]


PLACES = [
    *_reads("/v1/jobs", "/v1/jobs/{job_id}", "/v1/limits", "/v1/tasks", "/v1/agents", "/v1/audit"),
    *_reads("/v1/jobs/{job_id}/report", "/v1/jobs/{job_id}/report.{suffix}", "/v1/jobs/{job_id}/partial"),
    *_reads("/v1/jobs/{job_id}/plot", "/v1/jobs/{job_id}/attachments/{position}"),
    *_reads("/v1/jobs/{job_id}/events", "/v1/events", "/v1/notifications/stream", "/v1/notifications"),
    *_reads("/v1/dead-letters", "/v1/dead-letters/{letter}", "/v1/deliveries/parked"),
    *_reads("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/assets/{name}", "/login"),
    *_reads("/", "/jobs/{job_id}", "/inbox", "/agents"),
    *_writes("POST", JOB, "/v1/jobs", "/kafka/pushToConsumers"),
    *_writes("PUT", JOB, "/v1/jobs/{job_id}"),
    *_writes("POST", {"deadline": "2030-01-01T00:00:00Z"}, "/v1/jobs/{job_id}/retry"),
    *_writes("POST", {"status": "failed", "dry_run": True, "limit": 10}, "/v1/jobs/cancel", "/v1/jobs/retry"),
    *_writes("POST", {"job": "none"}, "/v1/dead-letters/redrive", "/v1/dead-letters/discard"),
    *_writes("POST", {}, "/v1/dead-letters/{letter}/redrive", "/v1/dead-letters/{letter}/discard"),
    *_writes("POST", {}, "/v1/deliveries/{delivery}/{how}", "/v1/notifications/{line}/read"),
    *_writes("POST", {"up_to": 1}, "/v1/notifications/read"),
    Place("DELETE", "/v1/jobs/{job_id}"),
    Place("DELETE", "/v1/jobs/{job_id}/data"),
    *_forms(b"key=x&next=%2F", "/login"),
    *_forms(b"", "/logout", "/ui/jobs/{job_id}/cancel", "/ui/jobs/{job_id}/retry", "/ui/notifications/{line}/read"),
    *_forms(b"", "/ui/notifications/read"),
    *_forms(b"task=echo&text=A+line.", "/ui/jobs"),
]

IN_PATH = {
    "suffix": ("json", "txt", "html", "exe", "json.json", ""),
    "position": ("1", "0", "-1", "99999999999999999999", "１", "1.0"),
    "letter": ("1", "0", "9" * 19, "00000000000000000001"),
    "name": ("style.css", "live.js", "..", "style.css%00", "Style.css", "nothing"),
    "delivery": ("p" * 64, "x", "%00", "' or 1=1"),
    "how": ("sent", "resend", "discard", "SENT"),
    "line": ("1", "0", "-1", "9" * 18, "9" * 19, "٣"),
}


def form(content: bytes) -> bytes:
    """A good form of a job with that file; its boundary is ``f``."""
    task = b'--f\r\nContent-Disposition: form-data; name="task"\r\n\r\necho\r\n'
    file = b'--f\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    return task + file + content + b"\r\n--f--\r\n"


def identity(chance: random.Random, target: Target) -> str:
    """A job's id: one of the shooter's own, or new, or something that is close to being one."""
    own = chance.choice(target.jobs) if target.jobs else ""
    new = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    strange = (own.upper(), "{" + new + "}", new.replace("-", ""), new[:-1], new + "0", f"urn:uuid:{new}", "%00", "١")
    return chance.choice((own or new, own or new, new, chance.choice(strange)))


def filled(chance: random.Random, target: Target, path: str) -> str:
    """The path with something in each parameter's place."""
    return "".join(_parts(chance, target, path))


def _parts(chance: random.Random, target: Target, path: str) -> Iterator[str]:
    for number, part in enumerate(path.replace("{", "}").split("}")):
        if number % 2 == 0:
            yield part
        else:
            yield identity(chance, target) if part == "job_id" else chance.choice(IN_PATH[part])
