"""Which tenants there are: those with a row, a key or a job. Nobody enters one; whoever sends as a tenant is one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, exists, or_, select, union

from streamapp.identity import DEFAULT_TENANT
from streamapp.store.access import api_keys
from streamapp.store.schema import jobs, tenants

__all__ = ["is_known", "known"]

COLUMNS = (tenants.c.tenant, api_keys.c.tenant, jobs.c.tenant)
IS_KNOWN = select(or_(*(exists().where(column == bindparam("of_tenant")) for column in COLUMNS)))
KNOWN = union(*(select(column.label("tenant")).distinct() for column in COLUMNS))


def is_known(connection: Connection, tenant: str) -> bool:
    """Whether there is that tenant; the default one always is."""
    return tenant == DEFAULT_TENANT or bool(connection.execute(IS_KNOWN, {"of_tenant": tenant}).scalar_one())


def known(connection: Connection) -> Sequence[str]:
    """All of them by name. It goes through the jobs."""
    return sorted({DEFAULT_TENANT, *connection.execute(KNOWN).scalars()})
