"""``python -m benchmarks``: measures the rows, shows the table, and writes RESULTS.md and results.json beside this.

A row that can't be measured is named with its error, and the others go on; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.figures import FIGURES, chosen
from benchmarks.results import COLUMNS, Results, cells
from benchmarks.rows import FAMILIES, Family
from benchmarks.stage import FULL, QUICK, Stage

__all__ = ["main"]

logger = logging.getLogger(__name__)

WIDE = 190  # where the table goes into a file
HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when every row that was asked for has its runs."""
    asked = _parser().parse_args(arguments)
    try:
        wanted = chosen([name.strip() for name in asked.rows.split(",") if name.strip()])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamapp-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        results = Results((folder if asked.quick else HERE) / "results.json")
        console = Console(width=None if sys.stdout.isatty() else WIDE)
        _measure(results, folder, wanted, asked, console)
        results.write()
        console.print(_table(results))
        missing = results.missing([figure.id for figure in FIGURES if figure.id in wanted])
    for name in missing:
        console.print(f"Row {name} has no run.", style="red", markup=False)
    return 1 if missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", default="", help="ids, comma separated: 1,1b,6 (default: all)")
    parser.add_argument("--runs", type=int, default=5, help="paired runs of each row (default: 5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs; writes nothing")
    parser.add_argument("--folder", type=Path, help="a new folder for logs and stores (default: a temporary one)")
    return parser


def _measure(results: Results, folder: Path, wanted: set[str], asked: argparse.Namespace, console: Console) -> None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    families = [family for family in FAMILIES if wanted & set(family.figures)]
    with Progress(*columns, console=console) as progress:
        line = progress.add_task("", total=len(families) * asked.runs)

        def say(text: str) -> None:
            progress.update(line, description=text)
            if not console.is_terminal:
                console.print(f"{time.strftime('%H:%M:%S')} {text}", markup=False)

        with Stage(folder, asked.runs, QUICK if asked.quick else FULL, wanted, say) as stage:
            for number, family in enumerate(families, start=1):
                _measure_family(results, stage, family, lambda: progress.advance(line))
                progress.update(line, completed=number * asked.runs)


def _measure_family(results: Results, stage: Stage, family: Family, advance: Callable[[], None]) -> None:
    names = [name for name in family.figures if name in stage.wanted]
    if family.alone:
        stage.leave()
    results.begin(names, time.strftime("%Y-%m-%d %H:%M"))
    try:
        for samples in family.measure(stage):
            stage.check()
            results.add({name: sample for name, sample in samples.items() if name in names})
            advance()
            results.write()  # what is there is kept, whatever comes
    except Exception as error:
        logger.exception("rows %s", ", ".join(names))
        results.fail(names, f"{type(error).__name__}: {error}".splitlines()[0][:200])
    if family.alone:
        stage.leave()


def _table(results: Results) -> Table:
    table = Table(*COLUMNS)
    for line in results.lines():
        table.add_row(*(cell.replace("**", "") for cell in cells(line)))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
