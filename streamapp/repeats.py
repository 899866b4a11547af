"""What Kafka's client says while its broker is away, said once in a while instead of a hundred times a second.

Each of its tasks tries again every 100 ms and logs an error or two for it: an hour without a broker would be half a
million lines, on a disk that may hold the store as well, and among which nobody finds the one line that matters.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["Repeats", "say_once_in_a_while"]

CLIENT = "aiokafka"
EVERY_S = 10.0
MOST = 1000  # different messages that are kept in mind


class Repeats(logging.Filter):
    """Lets a message pass that was not logged in the last `every_s` seconds, with how often it was held back since."""

    def __init__(self, every_s: float = EVERY_S, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._now = now
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        message, now = record.getMessage(), self._now()
        key = (record.name, record.levelno, message)
        since, held_back = self._seen.get(key, (now - self._every_s, 0))
        if now - since < self._every_s:
            self._seen[key] = (since, held_back + 1)
            return False
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[key] = (now, 0)
        if held_back:
            record.msg, record.args = f"{message} ({held_back} more times in the last {now - since:.0f} s)", None
        return True


def say_once_in_a_while() -> None:
    """Put such a filter on each logger of the client's, once it is imported: a logger's children don't inherit it."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == CLIENT:
            logging.getLogger(name).addFilter(Repeats())
