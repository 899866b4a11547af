"""What a run says at its end: a table for the terminal, the same in Markdown, and everything in JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fuzz.tally import Finding, Line
from fuzz.watch import Health

__all__ = ["MOST_GROWTH", "Result"]

MOST_GROWTH = 1e6  # bytes per 10,000 requests
MOST_ROUGHLY = 32e6  # bytes altogether, in a run too short for a slope
MB = 1e6
SHOWN = 20
MORE_FILES = 8  # files that a worker may have open at the end beyond what it had: pools that had not filled yet
CLASSES = ("2xx", "3xx", "4xx", "5xx", "none")


@dataclass(slots=True)
class Result:
    """A run. `floors` are bytes of memory by requests sent, `growth` bytes per 10,000, None where it was too short."""

    seed: int
    seconds: float
    requests: int
    lines: Mapping[str, Line]
    findings: Sequence[Finding]
    tracebacks: Mapping[str, int]
    health: Health
    floors: Sequence[tuple[int, int]]
    growth: float | None
    files: tuple[int, int]
    routes: int
    all_routes: int
    works: bool = True
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.broken = [words for words, holds in self._promises() if not holds]

    @property
    def good(self) -> bool:
        """Whether all of it held."""
        return not self.broken

    def _promises(self) -> list[tuple[str, bool]]:
        classes = self._classes()
        return [
            ("nothing was found", not self.findings),
            ("no 5xx", not classes["5xx"]),
            ("no traceback", not self.tracebacks),
            ("the health check answers", 0 < self.health.asked == self.health.answered),
            ("less than 1 MB of growth per 10,000 requests", self._keeps_its_size()),
            ("no file stays open", self.files[1] <= self.files[0] + MORE_FILES),
            ("every route is met", self.routes == self.all_routes),
            ("it works afterwards", self.works),
        ]

    def _keeps_its_size(self) -> bool:
        if self.growth is not None:
            return self.growth < MOST_GROWTH
        sizes = [rss for _, rss in self.floors]
        return not sizes or sizes[-1] - sizes[0] < MOST_ROUGHLY

    def _classes(self) -> Counter[str]:
        return sum((Counter(line.classes) for line in self.lines.values()), Counter())

    def rows(self) -> list[tuple[str, ...]]:
        """By generator: requests, answers by class, the slowest."""
        found = [
            (name, f"{line.requests:,}", *(f"{line.classes.get(each, 0):,}" for each in CLASSES), f"{line.slowest:.2f}")
            for name, line in sorted(self.lines.items())
        ]
        classes, slowest = self._classes(), max((line.slowest for line in self.lines.values()), default=0.0)
        total = ("all", f"{self.requests:,}", *(f"{classes[each]:,}" for each in CLASSES), f"{slowest:.2f}")
        return [*found, total]

    def facts(self) -> list[tuple[str, str]]:
        """What the worker was like meanwhile."""
        sizes = [rss / MB for _, rss in self.floors]
        grown = "too short to tell" if self.growth is None else f"{self.growth / MB:+.2f} MB per 10,000 requests"
        return [
            ("seed, minutes", f"{self.seed}, {self.seconds / 60:.0f}"),
            ("routes met", f"{self.routes} of {self.all_routes}"),
            ("findings", str(len(self.findings))),
            ("tracebacks in the log", str(sum(self.tracebacks.values()))),
            (
                "health checks answered",
                f"{self.health.answered:,} of {self.health.asked:,}, the slowest {self.health.slowest:.2f} s",
            ),
            ("memory (RSS), first and last 10,000", f"{sizes[0]:.0f} MB, {sizes[-1]:.0f} MB" if sizes else "not seen"),
            ("growth after the warm-up", grown),
            ("open files, before and after", f"{self.files[0]}, {self.files[1]}"),
        ]

    def show(self, console: Console) -> None:
        """Print it, with the first of what was found and the bytes that made it."""
        table = Table("generator", "requests", *CLASSES, "slowest, s", title="fuzz")
        for row in self.rows():
            table.add_row(*row)
        console.print(table)
        for name, value in self.facts():
            console.print(f"{name}: {value}", highlight=False)
        for each in self.findings[:SHOWN]:
            console.print(
                f"{each.name}: {each.what}\n  sent {each.sent}\n  answered {each.answer}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        for words, count in self.tracebacks.items():
            console.print(f"traceback, {count} times: {words}", highlight=False, markup=False, soft_wrap=True)
        console.print("all of it held" if self.good else f"BROKEN: {'; '.join(self.broken)}")

    def markdown(self) -> str:
        """Both tables for docs/security.md."""
        generators = [("generator", "requests", *CLASSES, "slowest, s"), ("---",) * (len(CLASSES) + 3), *self.rows()]
        facts = [("what", "how much"), ("---", "---"), *self.facts()]
        return "\n\n".join("\n".join(f"| {' | '.join(row)} |" for row in rows) for rows in (generators, facts)) + "\n"

    def write(self, file: Path) -> None:
        """The tables as `file`, and beside it the whole result as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.markdown(), encoding="utf-8")
        file.with_suffix(".json").write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
