"""The document that a command is given: a file, or standard input.

Standard input is read to its end first, into a file that goes with the process: so it is sent again when a connection
breaks, as a file is, and a program that writes it slowly is not cut off by the API.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from streamapp.errors import StreamappError

__all__ = ["document_at"]

STANDARD_INPUT = Path("-")


@contextmanager
def document_at(file: Path) -> Iterator[Path | BinaryIO]:
    """That file; for `-` what comes in. Raises `StreamappError` where there is no input, or no room for it."""
    if file != STANDARD_INPUT:
        yield file
        return
    with tempfile.TemporaryFile() as kept:
        try:
            given = click.get_binary_stream("stdin")
            if given.isatty():
                click.echo("Reading what is typed; Ctrl-D ends it.", err=True)
            shutil.copyfileobj(given, kept)
            kept.flush()
        except (OSError, RuntimeError, ValueError) as error:  # closed, or the disk is full
            raise StreamappError(
                f"Standard input can't be read and kept in {tempfile.gettempdir()}: {error}."
            ) from error
        yield kept
