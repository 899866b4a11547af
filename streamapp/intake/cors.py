"""Which pages of other sites may call the API from a browser (Fetch, 3.2, "CORS protocol").

Only those whose origin is named may, and no cookie goes with it: an API key in a header is what such a page has. Nobody
else's browser gets a header that would let a page read an answer. Both intakes ask here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

__all__ = ["ASKS", "ORIGIN", "Cors"]

ORIGIN, ASKS = "Origin", "Access-Control-Request-Method"
ANY = "*"
#: What such a page may read of an answer, beside what browsers let it read anyway.
EXPOSED = (
    "Allow",
    "ETag",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
)
#: What such a page may send beside what browsers let it send anyway.
TAKEN = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Requested-With",  # old clients' libraries send it by themselves
)
REMEMBERED_S = 600


class Headers(Protocol):
    """An answer's headers, of aiohttp or of Flask."""

    def get(self, name: str, /) -> str | None:
        """The value; None without it."""

    def __setitem__(self, name: str, value: str, /) -> None:
        """Set it."""


class Cors:
    """The policy: `origins` as browsers send them, or any with ``*``; without one, no page may."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def __bool__(self) -> bool:
        """Whether there is any page that may."""
        return bool(self._origins)

    def mark(self, headers: Headers, origin: str | None) -> None:
        """Put into an answer's headers what its reader's browser has to know. `origin`: what the request says."""
        if not self._origins:
            return
        if ANY not in self._origins:  # else the answer is the same for everybody
            headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), ORIGIN)))
        if self._may(origin):
            headers["Access-Control-Allow-Origin"] = ANY if ANY in self._origins else str(origin)
            headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)

    def grants(self, origin: str | None, methods: Iterable[str]) -> dict[str, str] | None:
        """What a preflight is answered with, beside `mark`; None for a page that may not. `methods`: what is there."""
        if not self._may(origin):
            return None
        return {
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": ", ".join(TAKEN),
            "Access-Control-Max-Age": str(REMEMBERED_S),
        }

    def _may(self, origin: str | None) -> bool:
        return origin is not None and (origin in self._origins or ANY in self._origins)
