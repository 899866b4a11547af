"""Bringing a database to the tables of this version. Run at every start; does nothing when it is there already."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from streamapp.errors import ConfigurationError
from streamapp.store.database import Database

__all__ = ["is_current", "migrate"]

LOCK = 0x73747265616D  # "stream": PostgreSQL's advisory lock while migrating


def migrate(database: Database) -> None:
    """Upgrade to the newest revision. Raises `ConfigurationError` for a database from a newer version of streamapp."""
    config = _config()
    with database.connection() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        _refuse_newer(connection, config)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether it has the tables of this version. Raises `ConfigurationError` for a database from a newer one."""
    return database.read_sync(_is_current, _config())


def _is_current(connection: Connection, config: Config) -> bool:
    _refuse_newer(connection, config)
    head = ScriptDirectory.from_config(config).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("streamapp.store") / "migrations"))
    return config


def _refuse_newer(connection: Connection, config: Config) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise ConfigurationError(
            f"The database is at revision {current}, which this version of streamapp does not know: "
            "it was used by a newer one. Run that version, or name another STREAMAPP_DATABASE_URL."
        )
