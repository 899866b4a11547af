"""A worker's process: how it begins, and the codes that it ends with."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from typing import Any

import faust
from aiokafka.errors import KafkaError

from streamapp.errors import BrokerUnavailable, ConfigurationError
from streamapp.leaving import CONFIGURATION, SOFTWARE, leave_because
from streamapp.settings import Settings, load_settings

__all__ = ["BoundedWorker", "build_or_leave", "leave_misconfigured"]


class BoundedWorker(faust.Worker):
    """Faust's worker, whose end is bounded from the first SIGTERM or Ctrl-C on, also while it starts."""

    app: Any  # a LifecycleApp

    def install_signal_handlers(self) -> None:
        """Faust's own, which run on the event loop, and one that starts the clock also when the loop is blocked."""
        super().install_signal_handlers()
        self.app.deadline.prepare()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.app.deadline.arm())

    def stop_and_shutdown(self) -> None:
        """Stop, and end the process: Python itself would wait for threads of predictors that may never return."""
        failed = self._failed()
        super().stop_and_shutdown()
        logging.shutdown()
        if isinstance(failed, KafkaError | OSError):
            leave_because(BrokerUnavailable(f"The broker went away while this worker started: {failed}"))
        os._exit(SOFTWARE if failed else self.app.exit_code)

    def _failed(self) -> BaseException | None:
        """What ended the start; mode would have it end with 0, as if this worker had been told to stop."""
        start = self._starting_fut
        return start.exception() if start is not None and start.done() and not start.cancelled() else None


def build_or_leave(build: Callable[[Settings], faust.App]) -> faust.App:
    """Build an app from the settings; leave the process with a sentence when they are wrong."""
    try:
        settings = load_settings()
        if not settings.broker:
            raise ConfigurationError(
                "STREAMAPP_BROKER is not set: name a Kafka broker (host:port), or use `streamapp up`, which starts one."
            )
        return build(settings)
    except ConfigurationError as error:
        leave_because(error)


def leave_misconfigured() -> None:
    """Leave because a child has said what is wrong with the configuration: starting it again would end the same way."""
    os._exit(CONFIGURATION)
