"""The email and notification agents' work: claim in the ledger, do it, settle in the ledger.

An e-mail takes a place in its domain's lane first, and gives it back as soon as the conversation is over: what is then
to be noted in the ledger holds up no other mail.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, cast

from sqlalchemy import Connection

from streamapp import faults
from streamapp.delivery.compose import Letter
from streamapp.delivery.lanes import Lanes, Turn, domain_of
from streamapp.delivery.mail import MailInDoubt, MailRefused, MailServer, MailUnavailable
from streamapp.delivery.notice import notice
from streamapp.early import Early
from streamapp.errors import Permanent, StoreUnavailable, Transient
from streamapp.models import Delivery
from streamapp.retry import Backoff, delay_s
from streamapp.settings import Settings
from streamapp.store import inbox, ledger, mailing
from streamapp.store.database import Database
from streamapp.store.dueness import LONGEST_DELAY_S
from streamapp.store.ledger import Due
from streamapp.store.sql import AnyRow

__all__ = ["Mailer", "Notifier"]

logger = logging.getLogger(__name__)

LEASE_MARGIN_S = 30.0
REMEMBERED = 4096  # recipients
PATIENCE_S = 24 * 3600.0  # a mail older than this pays for each turn that its domain's server does not give it
Event = Literal["succeeded", "failed"]


class Mailer:
    """Sends e-mails, each effectively once."""

    def __init__(self, database: Database, server: MailServer, settings: Settings) -> None:
        self._database = database
        self._server = server
        self._settings = settings
        self._lease_s = settings.mail_timeout_s + LEASE_MARGIN_S
        self._lanes = Lanes(settings.mail_concurrency, settings.mail_timeout_s)
        self._in_hand: set[str] = set()
        self.begun: Early[str] = Early("e-mail")
        self._recipients: dict[str, str] = {}

    def expect(self, due: Iterable[Due]) -> None:
        """Remember for a while who these are for: most messages come to the worker that sent them, and within moments.

        One that is not remembered is looked up, so it may be forgotten.
        """
        self._recipients.update((each.id, each.recipient) for each in due if each.recipient)
        while len(self._recipients) > REMEMBERED:
            del self._recipients[next(iter(self._recipients))]

    def begin(self, due: Iterable[Due]) -> None:
        """Send these now: the broker has their messages. It may be left to those."""
        for each in due:
            self.begun.begin(each.id, partial(self._deliver, each.id))

    async def deliver(self, delivery: Delivery) -> None:
        """Send one e-mail, unless it is sent, not due, or in another's hands; or put it off while its domain hangs."""
        if not await self.begun.is_over(delivery.delivery_id):
            await self._deliver(delivery.delivery_id)

    async def _deliver(self, identity: str) -> bool:
        """Whether it is over: sent, or given up."""
        if identity in self._in_hand:  # the ledger knows, but by the database's clock, and that may jump ahead
            return False
        self._in_hand.add(identity)
        try:
            return await self._in_turn(identity)
        finally:
            self._in_hand.discard(identity)

    async def _in_turn(self, identity: str) -> bool:
        recipient = self._recipients.pop(identity, None)
        if recipient is None:
            found = await self._database.read(ledger.open_now, identity)
            if found is None:
                return False
            recipient = found.recipient
        domain = domain_of(recipient)
        turn = await self._lanes.enter(domain)
        token = uuid.uuid4().hex
        if isinstance(turn, Turn):
            with turn:
                row, error = await self._claimed(identity, token, turn)
        elif turn.shut and await self._is_old(identity):
            claimed = await self._claim(identity, token)
            row = claimed.row if claimed else None
            error = MailUnavailable(f"the mail server for {domain} does not answer")
        else:
            await self._database.write(ledger.postpone, identity, turn.delay_s)
            return False
        return row is not None and await self._settle(row, token, error)

    async def _is_old(self, identity: str) -> bool:
        found = await self._database.read(ledger.open_now, identity)
        return found is not None and found.age_s > PATIENCE_S

    async def _claim(self, identity: str, token: str) -> mailing.Claimed | None:
        return await self._database.write(mailing.claim, identity, token, self._lease_s, self._settings.in_doubt)

    async def _claimed(self, identity: str, token: str, turn: Turn) -> tuple[AnyRow | None, Exception | None]:
        """Claim it and try to send it: the row, if it is ours, and what went wrong, if anything did."""
        claimed = await self._claim(identity, token)
        if claimed is None:
            return None, None
        row = claimed.row
        if row.attempts > self._settings.mail_attempts:  # workers may die of it: claims count, not answers
            return row, _UsedUp(row.last_error or "no attempt at it came to an end")
        try:
            await self._send(claimed, turn)
        except Exception as error:
            return row, error
        return row, None

    async def _send(self, claimed: mailing.Claimed, turn: Turn) -> None:
        row = claimed.row
        if claimed.job is None:
            raise claimed.error or LookupError("it has no content")
        letter = Letter(
            delivery_id=row.id,
            sender=self._settings.mail_from,
            recipient=row.recipient,
            event=cast(Event, row.event),
            job=claimed.job,
            report=claimed.report,
            link_base=self._settings.link_base,
        )
        faults.cross("mail.before")
        try:
            await self._server.send(letter)
        except (MailUnavailable, MailRefused) as error:
            turn.ended(hung=isinstance(error, MailUnavailable) and error.hung)
            raise
        turn.ended(hung=False)
        faults.cross("mail.after")

    async def _settle(self, row: AnyRow, token: str, error: Exception | None) -> bool:
        """Note what became of it. Whether it is over."""
        if isinstance(error, Transient):
            await self._again(row, token, error)
            return False
        if error is None:
            await self._note(ledger.sent, row.id, token)
        elif isinstance(error, Permanent):
            logger.warning("e-mail %s is given up: %s", row.id, error)
            await self._note(ledger.give_up, row.id, token, str(error))
        else:
            logger.error("e-mail %s can't be made", row.id, exc_info=error)
            await self._note(ledger.give_up, row.id, token, f"it can't be made: {error!r}")
        return True

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
        wait_s = delay_s(row.attempts, first_s=self._settings.mail_first_retry_s, longest_s=LONGEST_DELAY_S)
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


class _UsedUp(Permanent):
    """Every attempt was claimed, and none came to an end."""


class Notifier:
    """Puts notifications into the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliver(self, delivery: Delivery) -> None:
        """Put one notification into its tenant's inbox, exactly once."""
        await self._database.note(_notify, delivery.delivery_id)


def _notify(connection: Connection, identity: str) -> None:
    row = ledger.get(connection, identity)
    if row is None or row.state == "sent":
        return
    job, report = mailing.content(connection, row, whole=False)
    title, body = notice(row.event, job, report)
    inbox.deliver(connection, row, title, body)
