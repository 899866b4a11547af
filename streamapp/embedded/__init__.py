"""What `streamapp up` brings along, so that two commands are enough: a real Kafka broker, a mailbox, supervision.

Nothing outside this package needs it: against a broker and a mail server of their own, operators run the worker alone.
"""

from __future__ import annotations

from streamapp.errors import StreamappError

__all__ = ["StartError"]


class StartError(StreamappError):
    """It can't be started or kept up; the message is one sentence that says why and what helps."""
