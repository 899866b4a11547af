"""What is done to several jobs, letters or deliveries by id: each is tried and has its line, however others went."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from streamapp.client import ApiError
from streamapp.errors import StreamappError

__all__ = ["each", "naming"]

FAILED = 1

Id = TypeVar("Id", str, int)


def each(ids: Iterable[Id], do: Callable[[Id], str]) -> None:
    """Print what `do` says of each id, or on standard error why it was not done; then exit with 1 where one was not."""
    failed = False
    for one in ids:
        try:
            click.echo(f"{one}: {do(one)}")
        except StreamappError as error:
            click.echo(f"{one}: {error}", err=True)
            failed = True
    if failed:
        sys.exit(FAILED)


@contextmanager
def naming(one: str | int) -> Iterator[None]:
    """What the API refuses within is said of this id: its answer, the same for another tenant's, has none."""
    try:
        yield
    except ApiError as error:
        raise StreamappError(f"{one}: {error}") from error
