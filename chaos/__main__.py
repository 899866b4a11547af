"""The command: ``python -m chaos [--rounds N | --short] [--plant NAME]``; see `make chaos`."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from chaos.ground import ROOT
from chaos.plants import PLANTS, plant
from chaos.run import Order, run
from chaos.table import Result
from chaos.texts import books

JOBS_A_ROUND = 210
SHORT_JOBS = 60
STILL_S, STILL_PLANTED_S = 120.0, 50.0


@click.command()
@click.option("--rounds", default=10, show_default=True, help="Rounds; ten hit every point three times.")
@click.option("--short", is_flag=True, help="One directed round of a few minutes.")
@click.option("--seed", type=int, help="Draw the same script again.")
@click.option(
    "--plant", "planted", type=click.Choice(sorted(PLANTS)), help="The core of the short round, on a bug to be found."
)
@click.option("--results", type=click.Path(path_type=Path), help="Where the table goes, with a .json beside it.")
@click.option("--code", type=click.Path(path_type=Path), default=ROOT, help="The folder whose package is attacked.")
@click.option("--keep", is_flag=True, help="Leave the folder with everything, also after a good verdict.")
def main(
    rounds: int, short: bool, seed: int | None, planted: str | None, results: Path | None, code: Path, keep: bool
) -> None:
    """Kill a deployment in every way, and say what it lost."""
    logging.disable(logging.WARNING)
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="streamapp-chaos-"))
    code = plant(planted, code / "streamapp", folder / "code") if planted else code
    short = short or planted is not None
    chosen = seed if seed is not None else random.SystemRandom().randrange(1_000_000)
    console.print(f"seed {chosen}, everything is in {folder}")
    try:
        books()
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error
    order = Order(
        seed=chosen,
        rounds=0 if short else rounds,
        jobs=SHORT_JOBS // 2 if planted else SHORT_JOBS if short else rounds * JOBS_A_ROUND,
        folder=folder / "run",
        code=code,
        core=planted is not None,
        still_s=STILL_PLANTED_S if planted else STILL_S,
    )
    result = _conduct(order, console)
    result.show(console)
    if results is not None:
        result.write(results)
    good = result.verdict.good if planted else result.good
    if good and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    if planted:
        console.print(f"planted: {planted}: {'NOT found' if good else 'found'}")
    sys.exit(0 if good is (planted is None) else 1)


def _conduct(order: Order, console: Console) -> Result:
    began = time.monotonic()

    def note(text: str) -> None:
        console.print(f"{time.monotonic() - began:7.1f} s  {text}", highlight=False, markup=False, soft_wrap=True)

    with console.status("starting") as status:
        return asyncio.run(run(order, status.update, note))


if __name__ == "__main__":
    main()
