"""``python -m benchmarks.device``: the engine beside the bare model, on the device that a model worker would use here.

It needs no broker, so it runs wherever there is a GPU: a book of its own for each run, through
``SentenceTransformer.encode(batch_size=32)`` and through the engine, in one process and on one device, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.harness.texts import Texts
from benchmarks.sidecars import bare, engine
from streamapp.inference.devices import pick_device
from streamapp.settings import load_settings

__all__ = ["main"]

Way = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="paired runs, after one that is not counted (default: 5)")
    runs: int = parser.parse_args().runs
    settings = load_settings()
    device = pick_device(settings.device, settings.torch_threads)
    with torch.device(device), tempfile.TemporaryDirectory() as folder:  # so that the bare model is there too
        ways = {"bare encode": bare.load(), "the engine": engine.load()}
        rates = _measured(ways, runs, Path(folder))
    Console().print(_table(f"{_name(device)}, torch {torch.__version__}", rates))


def _measured(ways: Mapping[str, Way], runs: int, folder: Path) -> dict[str, list[float]]:
    """Sentences a second of each, run by run."""
    texts = Texts()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for run in track(range(runs + 1), "a book a run"):
        file = folder / f"{run}.txt"
        file.write_text(texts.book(), encoding="utf-8")
        for name in list(ways)[:: -1 if run % 2 else 1]:
            answer = ways[name]({"file": str(file)})
            if run:
                rates[name].append(answer["sentences"] / answer["seconds"])
    return rates


def _table(title: str, rates: Mapping[str, list[float]]) -> Table:
    table = Table("", "sentences/s", "spread", "÷ bare encode", title=title)
    first = next(iter(rates.values()))
    for name, found in rates.items():
        ratio = statistics.median(mine / other for mine, other in zip(found, first, strict=True))
        table.add_row(
            name, f"{statistics.median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}", f"{ratio:.2f}"
        )
    return table


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
