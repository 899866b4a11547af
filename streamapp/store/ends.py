"""What an end of a job brings with it, in the transaction that ends it: who is to be told is in the ledger."""

from __future__ import annotations

from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.store import jobs, ledger
from streamapp.store.ledger import Due
from streamapp.store.sql import AnyRow

__all__ = ["cancel", "enter"]


def cancel(connection: Connection, run: Run, why: str) -> list[Due] | None:
    """Cancel a job, of which only its webhook is told. None when it had ended before."""
    row = jobs.get(connection, run)
    if row is None or not jobs.end(connection, run, "cancelled", why):
        return None
    return _hook(connection, run, "cancelled", row)


def enter(connection: Connection, run: Run, status: str, row: AnyRow) -> list[Due]:
    """Enter the deliveries of a job that has ended in that status; `row` is the job's."""
    event = "succeeded" if status == "succeeded" else "failed"
    due = [ledger.enter(connection, run, event, "notification", run.tenant)]
    if row.email:
        due.append(ledger.enter(connection, run, event, "email", row.email))
    return due + _hook(connection, run, status, row)


def _hook(connection: Connection, run: Run, status: str, row: AnyRow) -> list[Due]:
    """A program that asked for it is told of every end, by its own name."""
    return [ledger.enter(connection, run, status, "webhook", row.webhook)] if row.webhook else []
