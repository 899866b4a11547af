"""The document that a command is given: a file, or standard input.

Standard input is read to its end first, into a file that goes with the process: so it is sent again when a connection
breaks, as a file is, and a program that writes it slowly is not cut off by the API.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    try:
        kept = _kept()
    except (OSError, RuntimeError, ValueError) as error:  # it is closed, or the disk is full
        raise StreamappError(
            f"Standard input can't be read and kept till it is sent: {error}. It is kept in the folder for temporary "
            "files, which TMPDIR names."
        ) from error
    with kept:
        yield kept


def _kept() -> BinaryIO:
    given = click.get_binary_stream("stdin")
    if given.isatty():
        click.echo("Reading what is typed; Ctrl-D ends it.", err=True)
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - whoever gets it closes it
    try:
        shutil.copyfileobj(given, kept)
        kept.flush()
    except BaseException:
        with suppress(OSError):  # once more what did not go
            kept.close()
        raise
    return kept
