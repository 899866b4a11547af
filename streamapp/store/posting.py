"""What a webhook is made of, read as it is claimed: the job that has ended, its report, the secrets to sign with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from streamapp.identity import Run
from streamapp.resources import JobResource
from streamapp.store import ledger, reports, webhook_secrets
from streamapp.store.present import present_job
from streamapp.store.sql import AnyRow

__all__ = ["Claimed", "claim_webhook"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A webhook in this caller's hands, and its content; or why that could not be read. Its repr shows no secret."""

    row: AnyRow
    job: JobResource | None = None
    report: AnyRow | None = field(default=None, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    error: Exception | None = None


def claim_webhook(connection: Connection, identity: str, token: str, lease_s: float) -> Claimed | None:
    """Take a webhook that is due, for `lease_s` seconds, with what it tells. None when there is nothing to do now.

    One in doubt is due. A content that makes no sense does not undo the claim; what the database raises does.
    """
    row = ledger.claim(connection, identity, token, lease_s, "resend")
    if row is None:
        return None
    try:
        return _with_content(connection, row)
    except SQLAlchemyError:
        raise
    except Exception as error:
        return Claimed(row, error=error)


def _with_content(connection: Connection, row: AnyRow) -> Claimed:
    job = present_job(connection, row.tenant, row.job, whole=False)
    if job is None:
        raise LookupError(f"delivery {row.id} names a job that is gone")
    report = reports.row_of(connection, Run(row.tenant, row.job, row.run))
    secrets = [each.secret for each in webhook_secrets.current(connection, row.tenant)]
    return Claimed(row, job, report, secrets)
