"""Events as they travel: the text of `text/event-stream` (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEARTBEAT", "Event", "opening"]

HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its name, its JSON on one line, and the place from which its reader goes on, as the `id` says it."""

    name: str
    data: bytes
    id: str

    def frame(self) -> bytes:
        """The bytes to send."""
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id.encode(), self.name.encode(), self.data)


def opening(place: str, retry_ms: int) -> bytes:
    """What a stream begins with: who loses it before the first event goes on from here, after that many ms.

    A block without data is no event, but sets the id of the last one (9.2.6).
    """
    return b"retry: %d\nid: %b\n\n" % (retry_ms, place.encode())
