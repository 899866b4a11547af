"""What a run says at its end: a table for the terminal, the same in Markdown, and everything in JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.judge import Verdict

__all__ = ["Result"]

SHOWN = 20


@dataclass(slots=True)
class Result:
    """A run. `wanted`: how often each point was to be hit.

    `longest`: by who died, the seconds until the intake answered and until results flowed.
    """

    seed: int
    rounds: int
    seconds: float
    posted: int
    states: Mapping[str, int]
    mails: int
    notifications: int
    kills: Mapping[str, int]
    attacks: Mapping[str, int]
    left: Mapping[str, int]
    hits: Mapping[str, int]
    wanted: Mapping[str, int]
    chunks: int
    again: int
    longest: Mapping[str, Sequence[float]]
    hooks: int = 0
    hook_repeats: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def missed(self) -> list[str]:
        """Points that were hit less often than wanted: what the run was to show and did not."""
        return [
            f"{point} was hit {self.hits.get(point, 0)} of {times} times"
            for point, times in sorted(self.wanted.items())
            if self.hits.get(point, 0) < times
        ]

    @property
    def good(self) -> bool:
        """Whether every promise held, and was put to every test."""
        return self.verdict.good and not self.missed

    def rows(self) -> list[tuple[str, str]]:
        """The table."""
        verdict = self.verdict
        times = [self.hits.get(point, 0) for point in self.wanted]
        return [
            ("seed, rounds, minutes", f"{self.seed}, {self.rounds}, {self.seconds / 60:.0f}"),
            ("processes killed", f"{sum(self.kills.values())}: {_listed(self.kills)}"),
            ("fail points", f"{sum(map(bool, times))} of {len(times)}, each {min(times, default=0)} times or more"),
            ("other attacks", _listed(self.attacks)),
            ("processes that left by themselves", _listed(self.left) or "0"),
            ("jobs accepted", f"{self.posted:,}: {_listed(self.states)}"),
            ("e-mails, notifications", f"{self.mails:,}, {self.notifications:,}"),
            ("webhooks; repeated under their id", f"{self.hooks:,}; {self.hook_repeats:,}"),
            ("**lost**", str(len(verdict.lost))),
            ("repeated in doubt", str(len(verdict.in_doubt))),
            ("**repeated otherwise**", str(len(verdict.repeated))),
            ("reports that differ", f"{len(verdict.differ)} ({len(verdict.near_ties)} near-ties)"),
            ("otherwise wrong", str(len(verdict.wrong))),
            ("chunks run again", f"{self.again:,} of {self.chunks:,}"),
            *(
                (f"longest recovery, {who} killed", f"intake {intake:.1f} s, results {results:.1f} s")
                for who, (intake, results) in sorted(self.longest.items())
            ),
        ]

    def show(self, console: Console) -> None:
        """Print it, with the first of what was found."""
        table = Table("what", "how many", title="chaos")
        for name, value in self.rows():
            table.add_row(name.strip("*"), value)
        console.print(table)
        for kind, sentences in {**asdict(self.verdict), "missed": self.missed}.items():
            for sentence in sentences[:SHOWN]:
                console.print(f"{kind}: {sentence}", highlight=False, markup=False, soft_wrap=True)
            if len(sentences) > SHOWN:
                console.print(f"{kind}: and {len(sentences) - SHOWN} more")

    def markdown(self) -> str:
        """The table for docs/reliability.md, with the near-ties below."""
        lines = ["| what | how many |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.rows())]
        ties = [f"- {sentence}" for sentence in self.verdict.near_ties]
        return "\n".join([*lines, *(["", "Near-ties:", "", *ties] if ties else [])]) + "\n"

    def write(self, file: Path) -> None:
        """The table as `file`, and beside it the whole result as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.markdown(), encoding="utf-8")
        file.with_suffix(".json").write_text(json.dumps(asdict(self), indent=1, default=str), encoding="utf-8")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(counts).items()))
