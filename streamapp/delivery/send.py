"""The email and notification agents' work: claim in the ledger, do it, settle in the ledger."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any, Literal, cast

from sqlalchemy import Connection

from streamapp import faults
from streamapp.delivery.compose import compose
from streamapp.delivery.mail import MailInDoubt, MailServer
from streamapp.delivery.notice import notice
from streamapp.errors import Permanent, StoreUnavailable, Transient
from streamapp.identity import Run
from streamapp.models import Delivery
from streamapp.resources import JobResource
from streamapp.retry import Backoff, delay_s
from streamapp.settings import Settings
from streamapp.store import inbox, ledger, reports
from streamapp.store.database import Database
from streamapp.store.present import present_job
from streamapp.store.sql import AnyRow
from streamapp.tasks.contract import Report

__all__ = ["Mailer", "Notifier"]

logger = logging.getLogger(__name__)

FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 3600.0
LEASE_MARGIN_S = 30.0
Event = Literal["succeeded", "failed"]


class Mailer:
    """Sends e-mails, each effectively once."""

    def __init__(self, database: Database, server: MailServer, settings: Settings) -> None:
        self._database = database
        self._server = server
        self._settings = settings
        self._lease_s = settings.mail_timeout_s + LEASE_MARGIN_S

    async def deliver(self, delivery: Delivery) -> None:
        """Send one e-mail, unless it is sent, not due, or in another's hands."""
        token = uuid.uuid4().hex
        row = await self._database.write(
            ledger.claim, delivery.delivery_id, token, self._lease_s, self._settings.in_doubt
        )
        if row is None:
            return
        if row.attempts > self._settings.mail_attempts:  # workers may die of it: claims count, not answers
            await self._note(ledger.give_up, row.id, token, row.last_error or "no attempt at it came to an end")
            return
        try:
            await self._send(row)
        except Transient as error:
            await self._again(row, token, error)
        except Permanent as error:
            logger.warning("e-mail %s is given up: %s", row.id, error)
            await self._note(ledger.give_up, row.id, token, str(error))
        except Exception as error:
            logger.exception("e-mail %s can't be made", row.id)
            await self._note(ledger.give_up, row.id, token, f"it can't be made: {error!r}")
        else:
            await self._note(ledger.sent, row.id, token)

    async def _send(self, row: AnyRow) -> None:
        job, report = await self._database.read(_content, row)
        message = compose(
            delivery_id=row.id,
            sender=self._settings.mail_from,
            recipient=row.recipient,
            event=cast(Event, row.event),
            job=job,
            report=report,
            link_base=self._settings.link_base,
        )
        faults.cross("mail.before")
        await self._server.send(message, message["To"].addresses[0].addr_spec)
        faults.cross("mail.after")

    async def _again(self, row: AnyRow, token: str, error: Transient) -> None:
        reason, doubt = str(error), isinstance(error, MailInDoubt)
        if doubt and self._settings.in_doubt == "park":
            logger.warning("e-mail %s is parked, in doubt: %s", row.id, reason)
            await self._note(ledger.park, row.id, token, reason)
            return
        if row.attempts >= self._settings.mail_attempts:
            logger.error("e-mail %s is given up after %d attempts: %s", row.id, row.attempts, reason)
            await self._note(ledger.give_up, row.id, token, reason)
            return
        wait_s = delay_s(row.attempts, first_s=FIRST_RETRY_S, longest_s=LONGEST_RETRY_S)
        logger.warning("e-mail %s waits %.0f s: %s", row.id, wait_s, reason)
        await self._note(ledger.later, row.id, token, reason, wait_s, in_doubt=doubt)

    async def _note(self, settle: Callable[..., bool], identity: str, *args: Any, **kwargs: Any) -> None:
        """What became of the mail is known: from here on only this write is repeated, never the mail."""
        backoff = Backoff()
        while True:
            try:
                await self._database.write(settle, identity, *args, **kwargs)
                return
            except StoreUnavailable as error:
                logger.warning("noting what became of e-mail %s waits: %s", identity, error)
            await backoff.wait()


class Notifier:
    """Puts notifications into the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliver(self, delivery: Delivery) -> None:
        """Put one notification into its tenant's inbox, exactly once."""
        await self._database.write(_notify, delivery.delivery_id)


def _notify(connection: Connection, identity: str) -> None:
    row = ledger.get(connection, identity)
    if row is None or row.state == "sent":
        return
    job, report = _content(connection, row)
    title, body = notice(row.event, job, report)
    inbox.deliver(connection, row, title, body)


def _content(connection: Connection, row: AnyRow) -> tuple[JobResource, Report | None]:
    run = Run(row.tenant, row.job, row.run)
    job = present_job(connection, run.tenant, run.job, whole=True)
    if job is None:
        raise LookupError(f"delivery {row.id} names a job that is gone")
    return job, reports.load(connection, run)
