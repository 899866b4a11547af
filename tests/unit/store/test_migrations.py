"""The migrations make what the statements expect."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from streamapp.errors import ConfigurationError
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.upkeep import leases
from streamapp.store.webhook_secrets import webhook_secrets


def test_the_migrations_make_the_schema(database: Database) -> None:
    """I expect no difference between the tables in the code and the migrated ones."""
    with database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, leases.metadata) == []
        assert webhook_secrets.metadata is leases.metadata


def test_again_changes_nothing(database: Database) -> None:
    """I expect each start to find everything done."""
    migrate(database)
    migrate(database)


def test_a_newer_database_is_refused(database: Database) -> None:
    """I expect an older version of this program to leave a newer one's tables alone, with one sentence."""
    with database.connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(ConfigurationError, match="revision 9999"):
            migrate(database)
    finally:
        with database.connection() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
