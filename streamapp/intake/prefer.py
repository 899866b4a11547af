"""What a client prefers (RFC 7240): to wait for the end of its job for so many seconds, or an answer at once.

A preference that is unknown or makes no sense is ignored, as the RFC asks; of one that is named twice the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LONGEST_WAIT_S", "Preference", "preference"]

LONGEST_WAIT_S = 60  # proxies give up on an answer that takes longer
SEPARATE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
NAMED = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("?)([^";]*)\2\s*)?(?:;.*)?""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preference:
    """``wait_s``: seconds that the client waits for the end, as far as they are granted; None: it does not."""

    wait_s: int | None = None
    respond_async: bool = False

    def applied(self, in_time: bool) -> str | None:
        """What `Preference-Applied` says of an answer that came `in_time` with the end, or without it."""
        held = ["respond-async"] if self.respond_async and not in_time else []
        held += [] if self.wait_s is None else [f"wait={self.wait_s}"]
        return ", ".join(held) or None


def preference(headers: Iterable[str]) -> Preference:
    """What the request's `Prefer` headers say."""
    named: dict[str, str] = {}
    for each in SEPARATE.findall(",".join(headers)):
        if found := NAMED.fullmatch(each):
            named.setdefault(found[1].lower(), (found[3] or "").strip())
    wait = named.get("wait", "")
    seconds = min(int(wait), LONGEST_WAIT_S) if wait.isascii() and wait.isdigit() and len(wait) < 10 else None
    return Preference(seconds, "respond-async" in named)
