"""Loads the models, and prints a line for each: what `streamapp doctor --load` runs beside itself."""

from __future__ import annotations

import sys

import click

from streamapp.doctor.models import FAILED, load_all
from streamapp.settings import load_settings

__all__: list[str] = []


def _main() -> int:
    try:
        lines = load_all(load_settings())
    except Exception as error:
        whose = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
        click.echo(f"{whose}{type(error).__name__}: {error}")
        return FAILED
    click.echo("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
