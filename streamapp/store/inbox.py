"""The platform's inbox: one line an event, exactly once, because the line and the delivery's state are one commit."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from streamapp.store.numbering import feed_number
from streamapp.store.often import Often
from streamapp.store.schema import clock, deliveries, inbox
from streamapp.store.sql import AnyRow, insert_or_ignore

__all__ = ["deliver", "mark_all_read", "mark_read", "newest", "unread"]

SETTLED = Often(
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_id"), deliveries.c.state != "sent")
    .values(state="sent", sent_at=clock(), attempts=deliveries.c.attempts + 1, last_error=None)
    .values(feed=feed_number(deliveries.c.tenant))
)
ALL_READ = (
    update(inbox).where(inbox.c.tenant == bindparam("of_tenant"), inbox.c.read_at.is_(None)).values(read_at=clock())
)
READ_UP_TO = ALL_READ.where(inbox.c.id <= bindparam("up_to"))


def deliver(connection: Connection, delivery: AnyRow, title: str, body: str) -> None:
    """Put the notification into its tenant's inbox and settle its delivery, in one transaction."""
    line = {"tenant": delivery.tenant, "delivery": delivery.id, "job": delivery.job, "event": delivery.event}
    insert_or_ignore(connection, inbox, {**line, "title": title, "body": body}, "created_at")
    SETTLED(connection, {"of_id": delivery.id})


def newest(connection: Connection, tenant: str, limit: int, before: int | None = None) -> Sequence[AnyRow]:
    """A page of a tenant's inbox, newest first."""
    query = select(inbox).where(inbox.c.tenant == tenant).order_by(inbox.c.id.desc()).limit(limit)
    return connection.execute(query if before is None else query.where(inbox.c.id < before)).all()


def unread(connection: Connection, tenant: str) -> int:
    """How many lines have not been read."""
    mine = (inbox.c.tenant == tenant, inbox.c.read_at.is_(None))
    return connection.execute(select(func.count()).select_from(inbox).where(*mine)).scalar_one()


def mark_read(connection: Connection, tenant: str, line: int) -> AnyRow | None:
    """Mark a line as read; the first time stands. None when the tenant has no such line."""
    mine = (inbox.c.tenant == tenant, inbox.c.id == line)
    connection.execute(update(inbox).where(*mine, inbox.c.read_at.is_(None)).values(read_at=clock()))
    return connection.execute(select(inbox).where(*mine)).one_or_none()


def mark_all_read(connection: Connection, tenant: str, up_to: int | None = None) -> int:
    """Mark a tenant's lines as read, those up to one or all; returns how many were not before."""
    if up_to is None:
        return connection.execute(ALL_READ, {"of_tenant": tenant}).rowcount
    return connection.execute(READ_UP_TO, {"of_tenant": tenant, "up_to": up_to}).rowcount
