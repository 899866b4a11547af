"""Connections whose clients say nothing, or nothing that is HTTP: they end, and leave no traceback behind.

aiohttp answers a request that it can't read by itself, before any middleware, and logs a traceback for each: whoever
sends garbage would fill the disk. It waits an hour for a request to come, and as long for the rest of one that began.
"""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["IDLE_S", "TheirFault", "runner"]

IDLE_S = 75.0  # more than proxies keep connections for, as nginx does for 60


class TheirFault(logging.Filter):
    """Lets pass what a client did wrong only where debug messages are wanted."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | web.RequestPayloadError):
            return True
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


THEIR_FAULT = TheirFault()


def runner(application: web.Application, idle_s: float = IDLE_S) -> web.AppRunner:
    """What serves the application. A connection on which no whole head has come for `idle_s` seconds is closed."""
    logging.getLogger("aiohttp.server").addFilter(THEIR_FAULT)
    return web.AppRunner(application, access_log=None, keepalive_timeout=idle_s)
