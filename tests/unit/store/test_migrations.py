"""The migrations make what the statements expect."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from streamapp.errors import ConfigurationError
from streamapp.store import access, audit, upkeep, webhook_secrets
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.schema import deliveries, metadata

# those of other modules are in the metadata because these are imported
TABLES = (access.api_keys, audit.audit, upkeep.leases, webhook_secrets.webhook_secrets)


def test_the_migrations_make_the_schema(database: Database) -> None:
    """I expect no difference between the tables in the code and the migrated ones."""
    with database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_again_changes_nothing(database: Database) -> None:
    """I expect each start to find everything done."""
    migrate(database)
    migrate(database)


def test_a_newer_database_is_refused(database: Database) -> None:
    """I expect an older version of this program to leave a newer one's tables alone, with one sentence."""
    with database.connection() as connection:
        before = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(ConfigurationError, match="revision 9999"):
            migrate(database)
    finally:
        with database.connection() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": before})


def test_rows_of_before_webhooks(tmp_path: Path) -> None:
    """I expect a delivery to come through as it was, and the table to keep its indexes."""
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(files("streamapp.store") / "migrations"))
    row = {"id": "d", "tenant": "anna", "job": "j", "run": 1, "event": "failed", "kind": "email", "recipient": "a@b"}
    row |= {"state": "sent", "attempts": 1, "in_doubt": 0, "created_at": 1.5}
    with database.connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO deliveries ({names}) VALUES ({values})"), row)
    migrate(database)
    with database.connection() as connection:
        assert dict(connection.execute(text(f"SELECT {names} FROM deliveries")).one()._mapping) == row
        found = {index["name"] for index in inspect(connection).get_indexes("deliveries")}
        assert found == {index.name for index in deliveries.indexes}
    database.close()
