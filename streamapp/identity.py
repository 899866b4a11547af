"""What names things: a run of a job and the ids derived from it, so that doing a step twice changes nothing."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Protocol

__all__ = ["DEFAULT_TENANT", "Pieced", "Run", "delivery_id", "digest", "message_id", "new_job_id"]

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One run of a job: the key of everything. A retry raises `run`, and results of an older run are dropped."""

    tenant: str
    job: str
    run: int


def new_job_id() -> str:
    """A UUID of version 7 (RFC 9562, 5.7): what is accepted together lies together in the store's tables and indexes.

    With random ids each row of a group of reservations was a page of its own to write.
    """
    moment = time.time_ns() // 1_000_000
    chance = uuid.uuid4().int % (1 << 76)  # with the variant, which both versions share
    return str(uuid.UUID(int=(moment << 80) | (7 << 76) | chance))


class Pieced(Protocol):
    """Bytes that are not in memory: how many they are, and they themselves, a piece at a time."""

    @property
    def size(self) -> int:
        """Bytes."""

    def pieces(self) -> Iterator[bytes]:
        """From the start."""


def digest(*parts: str | bytes | Pieced) -> str:
    """SHA-256 over length-prefixed parts, so that ("ab", "c") and ("a", "bc") differ. Hex, 64 characters."""
    hashed = hashlib.sha256()
    for part in parts:
        if isinstance(part, str | bytes):
            raw = part.encode("utf-8") if isinstance(part, str) else part
            hashed.update(len(raw).to_bytes(8, "big"))
            hashed.update(raw)
        else:
            hashed.update(part.size.to_bytes(8, "big"))
            for piece in part.pieces():
                hashed.update(piece)
    return hashed.hexdigest()


def delivery_id(run: Run, event: str, kind: str, recipient: str) -> str:
    """The same event of the same run to the same recipient is the same delivery."""
    return digest(run.tenant, run.job, str(run.run), event, kind, recipient)


def message_id(delivery: str, sender: str) -> str:
    """The Message-ID (RFC 5322, 3.6.4) of a delivery: the same again when a mail in doubt is sent again."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{delivery}@{domain}>"
