"""One job's stream over as many connections as it takes: where its reader is, and when there is no more to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import httpx
from pydantic import ValidationError

from streamapp.client.calls import Call, job_path
from streamapp.client.errors import not_understood, refused, unreachable
from streamapp.client.retries import Tries, asked_s
from streamapp.client.sse import Block, Decoder
from streamapp.event_resources import DoneEvent, PartialEvent, ProgressEvent
from streamapp.resources import DeliveryResource

__all__ = ["QUIET_S", "Following", "JobEvent"]

EventData: TypeAlias = ProgressEvent | PartialEvent | DoneEvent | DeliveryResource

KINDS: Mapping[str, type[EventData]] = MappingProxyType(
    {"progress": ProgressEvent, "partial": PartialEvent, "done": DoneEvent, "delivery": DeliveryResource}
)
EVENTS = "text/event-stream"
LONGEST_RETRY_S = 30.0
QUIET_S = 40.0  # a stream gives a sign of life every 15 s; one that gives none for so long is dead


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event of a job: `data` by its kind, and the `id` from which another stream goes on."""

    id: str
    name: str
    data: EventData


class Following:
    """Ends with the job, or if its `deliveries` are wanted too, when the last of them is settled."""

    def __init__(self, job_id: str, tries: Tries, *, after: str | None = None, deliveries: bool = False) -> None:
        self.over = False
        self.delay_s = 0.0
        self._job, self._tries, self._deliveries = job_id, tries, deliveries
        self._place = after
        self._decoder = Decoder()
        self._retry_s: float | None = None
        self._heard = self._done = False

    def call(self) -> Call[None]:
        """The next connection, from where the reader is."""
        headers = {"Accept": EVENTS, "Cache-Control": "no-store"}
        if self._place:
            headers["Last-Event-ID"] = self._place
        return Call("GET", f"{job_path(self._job)}/events", lambda _: None, headers=headers)

    def begins(self, answer: httpx.Response) -> bool:
        """Whether there is a stream in the answer, which has been read if it is not 200. Raises `ApiError`."""
        self._heard = False
        if answer.status_code == 204:  # all of it was read before
            self.over = True
        elif answer.status_code != 200:
            delay = self._tries.after(answer)
            if delay is None:
                raise refused(answer, asked_s(answer.headers))
            self.delay_s = delay
        elif not answer.headers.get("Content-Type", "").startswith(EVENTS):
            raise not_understood(answer, f"it is no {EVENTS}")
        else:
            self._decoder = Decoder()
            return True
        return False

    def take(self, piece: bytes, answer: httpx.Response) -> list[JobEvent]:
        """The events that end in this piece; none for a sign of life. Raises `ApiError`."""
        self._heard = True
        self._tries.heard()
        try:
            return list(self._events(piece))
        except ValidationError as error:
            raise not_understood(answer, f"an event is not as it should be: {error.errors()[0]['msg']}") from error

    def ended(self, base_url: str) -> None:
        """The connection has ended in order: a worker that stops ends its streams, and so does one that is through.

        Raises `ApiUnreachable`.
        """
        if self._done:
            self.delay_s = 0.0  # to be told that it was all
            self._done = False
        elif self._heard and self._retry_s is not None:
            self.delay_s = self._retry_s
        else:
            self.broke(httpx.RemoteProtocolError("a stream ends before its job does"), base_url)

    def broke(self, error: httpx.RequestError, base_url: str) -> None:
        """It has not, or there was none. Raises `ApiUnreachable` when that was so too often."""
        delay = self._tries.after(error)
        if delay is None:
            raise unreachable(error, base_url) from error
        self.delay_s = delay

    def _events(self, piece: bytes) -> Iterator[JobEvent]:
        for block in self._decoder.feed(piece):
            event = self._event(block)
            if event is not None:
                yield event
            if self.over:
                return

    def _event(self, block: Block) -> JobEvent | None:
        if block.id is not None:
            self._place = block.id
        if block.retry_ms is not None:
            self._retry_s = min(LONGEST_RETRY_S, block.retry_ms / 1000)
        kind = KINDS.get(block.event)
        if not block.data or kind is None:  # what a later version tells, this one does not know
            return None
        data = kind.model_validate_json("\n".join(block.data))
        if isinstance(data, DoneEvent):
            self._done, self.over = True, not self._deliveries
        return JobEvent(self._place or "", block.event, data)
