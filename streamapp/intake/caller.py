"""Who asks: the tenant that a request speaks for, and what it may do. Every handler takes its tenant from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from aiohttp import web

from streamapp.identity import DEFAULT_TENANT

__all__ = ["ALL_SCOPES", "CALLER", "LEFT", "LOCAL", "Caller", "Scope", "caller_of"]

Scope = Literal["submit", "read", "admin"]
ALL_SCOPES: frozenset[Scope] = frozenset(("submit", "read", "admin"))


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant, the scopes of its key, and the key's id and name; None where no keys are asked for.

    `per_minute` requests it may send to a worker, and no more jobs while `active_jobs` of its tenant have not ended.
    """

    tenant: str
    scopes: frozenset[Scope]
    key: str | None = None
    per_minute: int | None = None
    active_jobs: int | None = None
    name: str | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it looks after the whole service: an admin of the default tenant."""
        return self.tenant == DEFAULT_TENANT and "admin" in self.scopes

    @property
    def sees(self) -> str | None:
        """The tenant whose dead letters and parked e-mails it sees; None: everybody's, and what is nobody's."""
        return None if self.is_operator else self.tenant


class Known(Protocol):
    """A request that may know who sent it."""

    def get(self, key: web.RequestKey[Caller], default: Caller, /) -> Caller:
        """Who did; else the default."""


CALLER = web.RequestKey("caller", Caller)
LEFT = web.RequestKey("left", dict[str, str])
"""The header fields that say what its key has left of its rate."""

LOCAL = Caller(DEFAULT_TENANT, ALL_SCOPES)
"""Who asks where no keys are asked for: this machine alone."""


def caller_of(request: Known) -> Caller:
    """Who sent this request."""
    caller: Caller = request.get(CALLER, LOCAL)
    return caller
