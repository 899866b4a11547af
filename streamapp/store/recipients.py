"""How many e-mails jobs have asked for in the last hour: to an address, and by a tenant."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, literal, select

from streamapp.store.schema import clock, jobs

__all__ = ["Asked", "asked_for"]

HOUR_S = 3600.0
LATELY = jobs.c.created_at > clock() - HOUR_S
# to the limit and no further: what is counted at a time is bounded by it
_TO = select(literal(1)).select_from(jobs).where(jobs.c.email == bindparam("to"), LATELY).limit(bindparam("most_to"))
_BY = (
    select(literal(1))
    .select_from(jobs)
    .where(jobs.c.tenant == bindparam("by"), jobs.c.email.is_not(None), LATELY)
    .limit(bindparam("most_by"))
)
ASKED = select(
    select(func.count()).select_from(_TO.subquery()).scalar_subquery().label("to"),
    select(func.count()).select_from(_BY.subquery()).scalar_subquery().label("by"),
)


class Asked(NamedTuple):
    """Jobs of the last hour with an e-mail: of all tenants to this address, and of this tenant to whomever."""

    to: int
    by: int


def asked_for(connection: Connection, email: str, most_to: int, tenant: str, most_by: int) -> Asked:
    """Count both, each to its limit and no further; a limit of 0 is not counted."""
    these = {"to": email, "most_to": most_to, "by": tenant, "most_by": most_by}
    return Asked(*connection.execute(ASKED, these).one())
