"""What came out, as JSON for programs and a table for people."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import Figure, figures_of
from benchmarks.machine import commit, computes_bf16, machine, versions
from benchmarks.stage import Sample

__all__ = ["COLUMNS", "Measured", "Results", "cells", "percentile"]

COLUMNS = ("#", "figure", "ours", "other", "judged", "spread", "bar", "aim", "runs", "holds")


def percentile(values: Sequence[float], share: float) -> float:
    """The value at that share (0 to 1) of the sorted values, the nearest rank (so 0.95 of 20 is the 19th)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass
class Measured:
    """One figure's paired runs, when and on which commit they were made, and how busy the machine was before."""

    samples: list[Sample] = field(default_factory=list)
    at: str = ""
    commit: str = ""
    load: float = 0.0
    failed: str = ""

    def line(self, figure: Figure) -> dict[str, Any]:
        """The figure's line: medians, and the spread of what is judged."""
        said = {"id": figure.id, "what": figure.what, "unit": figure.unit, "other": figure.other}
        asked = {"bar": figure.bar, "aim": figure.aim, "better": figure.better, "judged": figure.how}
        line: dict[str, Any] = {**said, **asked, "runs": len(self.samples), "failed": self.failed}
        if self.samples:
            values = [figure.value(sample.ours, sample.other) for sample in self.samples]
            line["ours_median"] = median(sample.ours for sample in self.samples)
            line["other_median"] = median(sample.other for sample in self.samples)
            line["value"] = median(values)
            line["lowest"], line["highest"] = min(values), max(values)
            line["holds"] = not self.failed and figure.holds(line["value"])
        else:
            line["holds"] = False
        return line


class Results:
    """All figures of the table; those that were not measured now are kept from the file of last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Measured] = {}
        if path.exists():
            for name, entry in json.loads(path.read_text(encoding="utf-8"))["measured"].items():
                samples = [Sample(**sample) for sample in entry.pop("samples")]
                self._kept[name] = Measured(samples, **entry)

    def begin(self, names: Sequence[str], at: str) -> None:
        """Measure these anew."""
        here, load = commit(), os.getloadavg()[0]
        self._kept.update({name: Measured([], at, here, load) for name in names})

    def add(self, samples: Mapping[str, Sample]) -> None:
        """A paired run."""
        for name, sample in samples.items():
            self._kept[name].samples.append(sample)

    def fail(self, names: Sequence[str], reason: str) -> None:
        """They could not be measured."""
        for name in names:
            self._kept[name].failed = reason

    def missing(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that have no run."""
        return [name for name in names if name not in self._kept or not self._kept[name].samples]

    def lines(self) -> list[dict[str, Any]]:
        """The whole table, also what was never measured."""
        return [self._kept.get(figure.id, Measured()).line(figure) for figure in figures_of(computes_bf16())]

    def write(self) -> None:
        """Write the JSON, and the table beside it."""
        content = {
            "machine": machine(),
            "versions": versions(),
            "table": self.lines(),
            "measured": {name: asdict(entry) for name, entry in self._kept.items()},
        }
        self._path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self._path.with_name(self._path.stem.upper() + ".md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """The table with what it was measured on."""
        rows = "\n".join(f"| {' | '.join(cells(line))} |" for line in self.lines())
        times = sorted({(entry.at, entry.commit) for entry in self._kept.values() if entry.samples})
        when = "; ".join(f"{at} ({here})" for at, here in times) or "never"
        busy = max((entry.load for entry in self._kept.values()), default=0.0)
        return TEMPLATE.format(
            columns=" | ".join(COLUMNS),
            rows=rows,
            when=when,
            busy=f"{busy:.1f}",
            machine="\n".join(f"| {name} | {value} |" for name, value in machine().items()),
            versions=", ".join(f"{name} {value}" for name, value in versions().items()),
        )


def cells(line: Mapping[str, Any]) -> list[str]:
    """A line of the table, as words."""
    unit, other = line["unit"], line["other"]
    suffix = {"ratio": "", "difference": f" {unit}", "alone": f" {unit}"}[line["judged"]]
    against = f" {'−' if line['judged'] == 'difference' else '÷'} {other}" if other else ""
    asked = [f"{'≥' if line['better'] == 'higher' else '≤'} {line['bar']:g}{suffix}", f"{line['aim']:g}"]
    head = [line["id"], line["what"] + against]
    if "value" not in line:
        return [*head, "", "", line["failed"] or "not measured", "", *asked, "0", "no"]
    measured = [
        f"{_number(line['ours_median'])} {unit}",
        f"{_number(line['other_median'])} {unit}" if other else "",
        f"**{_number(line['value'])}**{suffix}",
        f"{_number(line['lowest'])} to {_number(line['highest'])}",
    ]
    holds = ("yes" if line["holds"] else "no") + (f" ({line['failed']})" if line["failed"] else "")
    return [*head, *measured, *asked, str(line["runs"]), holds]


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


TEMPLATE = """# Benchmark results

Written by `make bench`. Each figure is the median of paired runs, ours and the other in turn on one machine; only what
is judged (in bold) compares across machines. Its spread is from the lowest run to the highest. `docs/performance.md`
says where the time goes, and why a row is below its bar.

| {columns} |
|---|---|---:|---:|---:|---|---:|---:|---:|---|
{rows}

Measured {when}; the load average before a row was {busy} at most.

| machine | |
|---|---|
{machine}

Versions: {versions}.
"""
