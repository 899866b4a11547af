"""What an e-mail or a notification is made of, read as it is claimed: one transaction instead of two.

It is short: the job without what its page shows besides, and its report with the files, which the page has links to.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from streamapp.identity import Run
from streamapp.resources import JobResource
from streamapp.store import ledger, reports
from streamapp.store.present import present_job
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["Claimed", "claim", "content"]

SINCE = "It was started again since then; its page says what came of that."


class Claimed(NamedTuple):
    """A delivery in this caller's hands, and what it tells: a job and its report, or why that could not be read."""

    row: AnyRow
    job: JobResource | None = None
    report: Report | None = None
    error: Exception | None = None


def claim(
    connection: Connection, identity: str, token: str, lease_s: float, in_doubt: Literal["resend", "park"]
) -> Claimed | None:
    """Take a delivery as `streamapp.store.ledger.claim` does, and read its content.

    A content that makes no sense does not undo the claim: who has claimed it notes that the mail can't be made. What
    the database raises does: nothing is claimed then.
    """
    row = ledger.claim(connection, identity, token, lease_s, in_doubt)
    if row is None:
        return None
    try:
        return Claimed(row, *content(connection, row))
    except SQLAlchemyError:
        raise
    except Exception as error:
        return Claimed(row, error=error)


def content(connection: Connection, row: AnyRow, *, whole: bool = True) -> tuple[JobResource, Report | None]:
    """The job that a delivery is about, without what its page shows besides, and its report, with files if `whole`."""
    run = Run(row.tenant, row.job, row.run)
    job = present_job(connection, run.tenant, run.job, whole=False)
    if job is None:
        raise LookupError(f"delivery {row.id} names a job that is gone")
    if job.run != row.run:  # the notice of a run that ended without a result, which was in doubt or given up
        job.status, job.error = "failed", SINCE
    return job, reports.load(connection, run, whole=whole)
