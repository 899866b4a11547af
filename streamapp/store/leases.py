"""Leases: what one worker does at a time, and who does it. In the database's time, so that machines agree.

A worker that dies leaves its lease to run out; one that stops in order gives it back.
"""

from __future__ import annotations

from sqlalchemy import Connection, case, delete, literal, or_
from sqlalchemy.dialects import postgresql, sqlite

from streamapp.store.schema import clock
from streamapp.store.upkeep import leases

__all__ = ["hold", "release"]

SLACK_S = 1.0  # clocks are set back by a little all the time; that takes nobody's lease


def hold(connection: Connection, name: str, owner: str, lease_s: float) -> bool:
    """Take or renew the lease of that name for `lease_s` seconds. False while another has it.

    Everybody who asks for a name asks for the same time, so a lease that ends later than that from now was taken
    before the clock was set back: it counts for nothing, or nobody would have it until the clock is there again.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    taken = insert(leases).values(name=name, owner=owner, taken_at=clock(), lease_until=clock() + lease_s)
    mine = leases.c.owner == taken.excluded.owner
    free = or_(mine, leases.c.lease_until < clock(), leases.c.lease_until > clock() + lease_s + SLACK_S)
    changed = {
        "owner": taken.excluded.owner,
        "taken_at": case((mine, leases.c.taken_at), else_=taken.excluded.taken_at),
        "lease_until": taken.excluded.lease_until,
    }
    statement = taken.on_conflict_do_update(index_elements=["name"], set_=changed, where=free)
    return connection.execute(statement.returning(literal(True))).first() is not None


def release(connection: Connection, name: str, owner: str) -> None:
    """Give the lease back, if that owner has it."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.owner == owner))
