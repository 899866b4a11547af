"""The command: ``python -m fuzz [--requests N] [--seed N] [--plant NAME | --again NAME/NUMBER]``; see `make fuzz`."""

from __future__ import annotations

import logging
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chaos.plants import plant
from fuzz.ground import ROOT
from fuzz.plants import PLANTS, SHOWS
from fuzz.run import Order, again, run
from fuzz.table import Result

__all__ = ["main"]

SAY_EVERY = 10_000  # requests, where nobody sees the bar


@click.command()
@click.option("--requests", default=100_000, show_default=True, help="How many, all generators together.")
@click.option("--seed", type=int, help="Draw the same requests again.")
@click.option("--plant", "planted", type=click.Choice(sorted(PLANTS)), help="Run on a bug that must be found.")
@click.option("--again", "name", help="Send one request of a run again: NAME/NUMBER, with that run's seed.")
@click.option("--minutes", type=float, help="Say what there is after so many, however many were sent.")
@click.option("--results", type=click.Path(path_type=Path), help="Where the tables go, with a .json beside them.")
def main(
    requests: int, seed: int | None, planted: str | None, name: str | None, minutes: float | None, results: Path | None
) -> None:
    """Send a worker what nobody would send on purpose, and say what it minded."""
    logging.disable(logging.WARNING)
    console = Console()
    seed = seed if seed is not None else random.SystemRandom().randrange(1_000_000)
    console.print(f"seed {seed}", highlight=False)
    with ExitStack() as stack:
        code = None
        if planted:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamapp-fuzz-code-")))
            code = plant(planted, ROOT / "streamapp", folder, PLANTS)
        if name:
            shot, answer = again(name, seed, code)
            console.print(
                f"{shot.sent!r}\n\n{answer.ended} after {answer.seconds:.2f} s: {answer.data!r}", markup=False
            )
            return
        log, seconds = results.with_suffix(".log") if results else None, minutes * 60 if minutes else None
        result = _conduct(Order(requests, seed, code, log, seconds), console)
    result.show(console)
    if results is not None:
        result.write(results)
    if planted:
        found = SHOWS[planted] in result.broken
        console.print(f"planted: {planted}: {'found' if found else 'NOT found'}")
        sys.exit(0 if found else 1)
    sys.exit(0 if result.good else 1)


def _conduct(order: Order, console: Console) -> Result:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=order.requests)
        said = 0

        def say(sent: int) -> None:
            nonlocal said
            progress.update(task, completed=sent, description="fuzzing")
            if not console.is_terminal and sent >= said + SAY_EVERY:
                said = sent
                console.print(f"{sent:,} requests", highlight=False)

        return run(order, say)


if __name__ == "__main__":
    main()
