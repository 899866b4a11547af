"""The same database for threads without an event loop: what is awaited of it has been done when it is awaited.

Each call is a transaction of its own in the caller's thread; the connections are few, so threads take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from streamapp.store.database import Database

__all__ = ["DirectDatabase"]

P = ParamSpec("P")
T = TypeVar("T")


class DirectDatabase(Database):
    """A `Database` for `streamapp.elsewhere.at_once`."""

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a read transaction, now."""
        return self.read_sync(work, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a write transaction and commit, now."""
        return self.write_sync(work, *args, **kwargs)

    async def note(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, without waiting for the disk."""
        return self.note_sync(work, *args, **kwargs)
