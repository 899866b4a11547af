"""The webhook agent's work: claim in the ledger, post, settle in the ledger; at least once, always under one id.

A lease that ran out, or an exchange that broke off, leaves open whether the receiver has it. It is simply posted again:
the receiver tells repeats by `webhook-id`, which is the delivery's id. As with e-mails, a lane for each host keeps one
receiver that hangs from delaying the others (`streamapp.delivery.lanes`).
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from streamapp import faults
from streamapp.delivery.lanes import Lanes, Turn
from streamapp.delivery.payload import payload
from streamapp.delivery.post import WebhookUnavailable
from streamapp.delivery.signing import signed_headers
from streamapp.delivery.target import Rules, Target, host_of, parse_target
from streamapp.errors import Permanent, StoreUnavailable
from streamapp.models import Delivery
from streamapp.retry import Backoff, delay_s
from streamapp.settings import Settings
from streamapp.store import ledger, posting
from streamapp.store.database import Database
from streamapp.store.dueness import LONGEST_DELAY_S
from streamapp.store.posting import Claimed

__all__ = ["Courier", "Posts"]

logger = logging.getLogger(__name__)

LEASE_MARGIN_S = 30.0
PATIENCE_S = 24 * 3600.0  # one older than this pays for each turn that its host's lane does not give it


class Posts(Protocol):
    """Takes webhooks to receivers."""

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> None:
        """Post once. Raises `WebhookUnavailable` or `WebhookRefused`."""


class Courier:
    """Delivers webhooks, each at least once."""

    def __init__(self, database: Database, posts: Posts, settings: Settings) -> None:
        self._database = database
        self._posts = posts
        self._settings = settings
        self._rules = Rules.of(settings)
        self._lease_s = settings.webhook_timeout_s + LEASE_MARGIN_S
        self._lanes = Lanes(settings.webhook_concurrency, settings.webhook_timeout_s)
        self._in_hand: set[str] = set()

    async def deliver(self, delivery: Delivery) -> None:
        """Post one webhook, unless it is sent, not due, or in another's hands; or put it off while its host hangs."""
        identity = delivery.delivery_id
        if identity in self._in_hand:
            return
        self._in_hand.add(identity)
        try:
            await self._deliver(identity)
        finally:
            self._in_hand.discard(identity)

    async def _deliver(self, identity: str) -> None:
        found = await self._database.read(ledger.open_now, identity)
        if found is None:
            return
        turn = await self._lanes.enter(host_of(found.recipient))
        if isinstance(turn, Turn):
            with turn:
                claimed, error = await self._posted(identity, turn)
        elif turn.shut and found.age_s > PATIENCE_S:
            claimed, error = await self._claim(identity), WebhookUnavailable("its host does not answer")
        else:
            await self._database.write(ledger.postpone, identity, turn.delay_s)
            return
        if claimed is not None:
            await self._settle(claimed, error)

    async def _claim(self, identity: str) -> Claimed | None:
        return await self._database.write(posting.claim_webhook, identity, uuid.uuid4().hex, self._lease_s)

    async def _posted(self, identity: str, turn: Turn) -> tuple[Claimed | None, Exception | None]:
        """Claim it and try to post it: the claim, if it is ours, and what went wrong, if anything did."""
        claimed = await self._claim(identity)
        if claimed is None:
            return None, None
        if claimed.row.attempts > self._settings.webhook_attempts:  # workers may die of it: claims count, not answers
            return claimed, Permanent(claimed.row.last_error or "no attempt at it came to an end")
        try:
            await self._post(claimed, turn)
        except Exception as error:
            return claimed, error
        return claimed, None

    async def _post(self, claimed: Claimed, turn: Turn) -> None:
        row = claimed.row
        if claimed.job is None:
            raise claimed.error or LookupError("it has no content")
        target = parse_target(row.recipient, self._rules)  # the rules may be others by now
        body = payload(row, claimed.job, claimed.report, self._settings.link_base)
        headers = signed_headers(claimed.secrets, row.id, int(time.time()), body)
        faults.cross("webhook.before")
        try:
            await self._posts.post(target, headers, body)
        except WebhookUnavailable as error:
            turn.ended(hung=error.hung)
            raise
        turn.ended(hung=False)
        faults.cross("webhook.after")

    async def _settle(self, claimed: Claimed, error: Exception | None) -> None:
        row, token = claimed.row, claimed.row.lease_owner
        if error is None:
            await self._note(ledger.sent, row.id, token)
        elif isinstance(error, WebhookUnavailable) and row.attempts < self._settings.webhook_attempts:
            wait_s = self._wait_s(row.attempts, error)
            logger.warning("webhook %s waits %.0f s: %s", row.id, wait_s, error)
            await self._note(ledger.later, row.id, token, str(error), wait_s)
        elif isinstance(error, WebhookUnavailable | Permanent):
            logger.error("webhook %s is given up after %d attempts: %s", row.id, row.attempts, error)
            await self._note(ledger.give_up, row.id, token, str(error))
        else:
            logger.error("webhook %s can't be made", row.id, exc_info=error)
            await self._note(ledger.give_up, row.id, token, f"it can't be made: {error!r}")

    def _wait_s(self, attempts: int, error: WebhookUnavailable) -> float:
        """Doubling and jittered, or as long as the receiver asks, within bounds."""
        own = delay_s(attempts, first_s=self._settings.webhook_first_retry_s, longest_s=LONGEST_DELAY_S)
        return min(max(own, error.after_s), LONGEST_DELAY_S)

    async def _note(self, settle: Callable[..., bool], identity: str, *args: Any) -> None:
        """What became of it is known: from here on only this write is repeated."""
        backoff = Backoff()
        while True:
            try:
                await self._database.write(settle, identity, *args)
                return
            except StoreUnavailable as error:
                logger.warning("noting what became of webhook %s waits: %s", identity, error)
            await backoff.wait()
