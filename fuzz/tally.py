"""Counts what was sent and answered, and keeps what must not be."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from fuzz.shot import Shot
from fuzz.wire import Answer

__all__ = ["Finding", "Line", "Tally", "wrong_with"]

SHOWN_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Finding:
    """What was wrong, and with which request: its name draws it again."""

    name: str
    what: str
    sent: str = ""
    answer: str = ""


@dataclass(slots=True)
class Line:
    """What one generator came to: requests, answers by class of status, and its slowest answer in seconds."""

    requests: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0
    slowest_name: str = ""


class Tally:
    """For all threads."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.findings: list[Finding] = []
        self.routes: Counter[str] = Counter()
        self.requests = 0
        self._lock = threading.Lock()

    def shot(self, name: str, shot: Shot, answer: Answer) -> None:
        """A request that was sent by hand, and what came back."""
        self.add(name, [str(status)[0] + "xx" for status in answer.statuses] or ["none"], answer.seconds, shot.route)
        if what := wrong_with(shot, answer):
            self.found(name, what, shot.sent, answer.data)

    def add(self, name: str, classes: list[str], seconds: float, route: str = "") -> None:
        """A request, the classes of its answers, and how long it took."""
        with self._lock:
            line = self.lines.setdefault(name.partition("/")[0], Line())
            self.requests += 1
            line.requests += 1
            for each in classes:
                line.classes[each] = line.classes.get(each, 0) + 1
            self.routes[route] += 1
            if seconds > line.slowest:
                line.slowest, line.slowest_name = seconds, name

    def found(self, name: str, what: str, sent: bytes = b"", answer: bytes = b"") -> None:
        """Something that must not be."""
        with self._lock:
            self.findings.append(Finding(name, what, _shown(sent), _shown(answer)))


def wrong_with(shot: Shot, answer: Answer) -> str:
    """What is wrong with an answer, in words; nothing, mostly.

    A connection that is reset may have lost an answer on the way: a body was refused before all of it had come.
    """
    if bad := [status for status in answer.statuses if status >= 500]:
        return f"answered {bad[0]}"
    if answer.strange and shot.listens_s is None and answer.ended != "reset":
        return "what came is no HTTP"
    if len(answer.statuses) > shot.answers:
        return f"{len(answer.statuses)} answers, where {shot.answers} may come"
    if not answer.statuses and not shot.silent and answer.ended != "reset":
        return f"no answer: {answer.ended} after {answer.seconds:.1f} s"
    return ""


def _shown(content: bytes) -> str:
    """The bytes as Python writes them; the middle of a long one is left out."""
    if len(content) <= SHOWN_BYTES:
        return repr(content)
    half = SHOWN_BYTES // 2
    return f"{content[:half]!r} … {len(content) - 2 * half} bytes … {content[-half:]!r}"
