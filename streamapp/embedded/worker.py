"""The worker as `up` runs it: the same command that operators use, supervised."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from streamapp.embedded import processes
from streamapp.embedded.api import Api
from streamapp.embedded.child import Child, last_line
from streamapp.embedded.screen import Step
from streamapp.errors import ConfigurationError
from streamapp.settings import Settings

__all__ = ["CONFIGURATION_EXIT", "environment", "until_ready", "worker"]

CONFIGURATION_EXIT = 78  # EX_CONFIG of sysexits.h
SAYS = "streamapp: "  # how a sentence about the configuration begins
COMMAND: tuple[str, ...] = (sys.executable, "-m", "faust", "-A", "streamapp", "worker")


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment, with what `up` decided and the mark of the home."""
    decided = {
        "STREAMAPP_HOME": str(settings.home),
        "STREAMAPP_BROKER": settings.broker,
        "STREAMAPP_SMTP_URL": settings.smtp_url,
        "STREAMAPP_WEB_HOST": settings.web_host,
        "STREAMAPP_WEB_PORT": str(settings.web_port),
        "PYTHONUNBUFFERED": "1",
    }
    return processes.marked({**os.environ, **decided}, settings.home)


def worker(settings: Settings, notice: Callable[[str], None]) -> Child:
    """The worker for these settings, not started yet."""
    log = settings.home / "logs" / "worker.log"

    def verdict(code: int) -> ConfigurationError | None:
        if code != CONFIGURATION_EXIT:
            return None
        said = last_line(log, SAYS).removeprefix(SAYS)
        return ConfigurationError(said or f"The worker refuses its configuration; its log is {log}.")

    command = [*COMMAND, "-l", settings.worker_log_level]
    return Child("worker", command, environ=environment(settings), log=log, verdict=verdict, notice=notice)


async def until_ready(api: Api, step: Step) -> None:
    """Return when the worker says that it is ready; show why it is not."""
    while (why := await api.not_ready()) is not None:
        step.say(why)
        await asyncio.sleep(0.2)
