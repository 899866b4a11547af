"""What the commands have in common that work on the store itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamapp.settings import load_settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate

__all__ = ["LONGEST_NAME", "open_store"]

LONGEST_NAME = 64  # of a tenant


@contextmanager
def open_store() -> Iterator[Database]:
    """The store of the settings, with all its tables."""
    database = Database(load_settings().store_url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()
