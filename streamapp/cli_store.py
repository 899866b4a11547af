"""What the commands have in common that work on the store itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamapp.errors import ConfigurationError
from streamapp.settings import load_settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate

__all__ = ["LONGEST_NAME", "open_store"]

LONGEST_NAME = 64  # of a tenant


@contextmanager
def open_store() -> Iterator[Database]:
    """The store of the settings, with all its tables. Raises `ConfigurationError` where its folder is not."""
    settings = load_settings()
    if settings.store_url.startswith("sqlite:///") and not settings.home.is_dir() and not settings.database_url:
        raise ConfigurationError(
            f"There is no folder {settings.home} for the store: go to the folder that the worker is started in, or set "
            "STREAMAPP_HOME as the worker has it. For a new store, make that folder."
        )
    database = Database(settings.store_url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()
