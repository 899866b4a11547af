"""`streamapp up`: everything on this machine with one command, from the broker to the first report, until Ctrl-C.

The order is chosen so that what can be refused is refused before anything slow: the home, what a crash left over, the
disk, the web port, the tasks; then the broker, topics, mailbox and worker, and on a first start the first job.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Collection
from typing import NoReturn

import click

from streamapp.embedded import StartError, processes
from streamapp.embedded.api import Api, KeyNeeded, base_url
from streamapp.embedded.broker import Broker, answers
from streamapp.embedded.checks import check
from streamapp.embedded.child import Child
from streamapp.embedded.home import HomeLock
from streamapp.embedded.mailbox import Mailbox
from streamapp.embedded.screen import Screen
from streamapp.embedded.watch import Watch
from streamapp.embedded.welcome import TASK, curl_line, first_job, is_first_start
from streamapp.embedded.worker import CONFIGURATION_EXIT, until_ready, worker
from streamapp.errors import ConfigurationError, StreamappError
from streamapp.kafka.access import Kafka
from streamapp.settings import Settings

__all__ = ["Up", "up"]

INTERRUPTED_EXIT = 130
CAUSES = {signal.SIGINT: "Ctrl-C (SIGINT)", signal.SIGHUP: "a terminal that was closed (SIGHUP)"}
BROKER_START_S = 90.0
READY_TIMEOUT_S = 600.0
# together well under the ten seconds in which everything has to be gone
WORKER_GRACE_S = 5.0
BROKER_GRACE_S = 3.0


def up(settings: Settings) -> int:
    """Run everything until Ctrl-C or SIGTERM; returns the exit code. A failure is one sentence on standard error."""
    try:
        with HomeLock(settings.home):
            return asyncio.run(Up(settings, Screen()).run())
    except ConfigurationError as error:
        click.echo(f"streamapp: {error}", err=True)
        return CONFIGURATION_EXIT
    except StreamappError as error:
        click.echo(f"streamapp: {error}", err=True)
        return 1


class Up:
    """One run of `up`. The home is locked already."""

    def __init__(self, settings: Settings, screen: Screen) -> None:
        self._settings = settings
        self._screen = screen
        self._watch = Watch()
        self._broker: Broker | None = None
        self._mailbox: Mailbox | None = None
        self._worker: Child | None = None
        self._interrupted = False
        self._is_up = False

    async def run(self) -> int:
        """Start, stay, stop; 0 when it was up before a signal ended it. Raises `StreamappError` with all stopped."""
        work = asyncio.ensure_future(self._start_and_stay())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt, work, number)
        try:
            await work
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
        finally:
            await self._stop()
            if self._interrupted:
                with contextlib.suppress(OSError):
                    self._screen.line("Stopped.")
        return 0 if self._is_up else INTERRUPTED_EXIT

    async def _start_and_stay(self) -> None:
        await check(self._settings, self._screen)
        predictors = await self._predictors()
        settings = self._settings.model_copy(update={"broker": await self._start_broker()})
        await self._provision(settings, predictors)
        settings = settings.model_copy(update={"smtp_url": await self._start_mailbox()})
        api = Api(base_url(settings.web_host, settings.web_port), key=settings.api_key)
        try:
            await self._start_worker(settings, api)
            await self._watch.during(self._greet(api))
        finally:
            await api.close()
        await self._watch.during(_for_ever())

    async def _start_broker(self) -> str:
        """The bootstrap servers, answering."""
        if self._settings.broker:
            with self._screen.step(f"Looking for Kafka at {self._settings.broker}"):
                await answers(Kafka.of(self._settings))
            return self._settings.broker
        self._broker = Broker(self._settings.home)
        with self._screen.step("Kafka's files") as step:
            await self._broker.prepare(step.at)
        with self._screen.step("Kafka"):
            child = await self._broker.start(self._screen.line)
            self._watch.over(child)
            await self._watch.during(answers(Kafka(self._broker.address), BROKER_START_S))
        child.settled()
        return self._broker.address

    async def _predictors(self) -> Collection[str]:
        """What the tasks need models of; a task that is wrong is said here, before anything is started."""
        from streamapp.tasks.registry import load_registry  # brings every task: not for a start refused before this

        wanted = self._settings.tasks, self._settings.only_tasks, self._settings.chosen_default
        with self._screen.step("Tasks"):
            return (await asyncio.to_thread(load_registry, *wanted)).predictors

    async def _provision(self, settings: Settings, predictors: Collection[str]) -> None:
        from streamapp import topics  # brings Kafka's client

        with self._screen.step("Topics"):
            await self._watch.during(topics.provision(settings, predictors))

    async def _start_mailbox(self) -> str:
        if self._settings.smtp_url:
            return self._settings.smtp_url
        self._mailbox = await Mailbox.of_home(self._settings.home, self._settings.mailbox)
        return self._mailbox.url

    async def _start_worker(self, settings: Settings, api: Api) -> None:
        self._worker = worker(settings, self._screen.line)
        with self._screen.step("The worker and its model") as step:
            await self._worker.start()
            self._watch.over(self._worker)
            try:
                await asyncio.wait_for(self._watch.during(until_ready(api, step)), READY_TIMEOUT_S)
            except TimeoutError as error:
                late = f"The worker is not ready after {READY_TIMEOUT_S:.0f} s; its log is {self._worker.log}."
                raise StartError(f"{late} It says: {await api.not_ready()}") from error
        self._worker.settled()

    async def _greet(self, api: Api) -> None:
        """The first job on a first start, how many jobs there are on a later one; then the addresses."""
        settings, mailbox = self._settings, self._mailbox
        with_key = bool(settings.api_key)
        try:
            if TASK not in (settings.only_tasks or (TASK,)):
                self._screen.line(
                    f"Without the task {TASK}, which STREAMAPP_ONLY_TASKS leaves out, no first job is shown."
                )
            elif is_first_start(settings.home):
                await first_job(api, self._screen, settings.home, mailbox.folder if mailbox else None, settings.mail_to)
            else:
                count, more = await api.count_jobs()
                self._screen.line(f"It knows {count}{' jobs and more' if more else ' job' if count == 1 else ' jobs'}.")
        except KeyNeeded as error:
            with_key = True
            self._screen.line(str(error))
        except StartError as error:
            click.echo(f"streamapp: {error}", err=True)  # everything is up, and its pages may show why
        self._screen.line()
        self._screen.line(f"The pages       {settings.link_base}")
        if mailbox:
            self._screen.line(f"The mailbox     {mailbox.folder} (a Maildir)")
        if self._broker is not None:
            self._screen.line(f"The broker      {self._broker.address} (STREAMAPP_BROKER for other commands)")
        self._screen.line(f"The logs        {settings.home / 'logs'}")
        line = curl_line(settings.link_base, settings.mail_to, settings.default_task, with_key=with_key)
        self._screen.line(f"The next job    {line}")
        self._is_up = True
        self._screen.line("Ctrl-C stops everything.")

    def _interrupt(self, work: asyncio.Future[None], number: signal.Signals) -> None:
        """The first signal stops in order and says which it was, the second one at once."""
        if self._interrupted:
            self._kill_and_leave()
        self._interrupted = True
        work.cancel()
        with contextlib.suppress(OSError):  # a hung-up terminal can't be written to
            self._screen.line(f"Stopping because of {CAUSES.get(number, number.name)}; once more stops at once.")

    async def _stop(self) -> None:
        """Stop in the order of dependence, and let nothing be left, whatever goes wrong with one of them."""
        await self._watch.stop()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._end_the_rest)
            if self._broker is not None and self._broker.child is not None:
                stack.push_async_callback(self._broker.child.stop, BROKER_GRACE_S)
            if self._mailbox is not None:
                stack.push_async_callback(self._mailbox.stop)
            if self._worker is not None:
                stack.push_async_callback(self._worker.stop, WORKER_GRACE_S)

    async def _end_the_rest(self) -> None:
        await asyncio.to_thread(lambda: processes.end(processes.of_home(self._settings.home), 0.5))

    def _kill_and_leave(self) -> NoReturn:
        for child in (self._worker, self._broker.child if self._broker else None):
            if child is not None:
                child.kill()
        for process in processes.of_home(self._settings.home):
            with contextlib.suppress(processes.Gone):
                process.kill()
        os._exit(INTERRUPTED_EXIT)


async def _for_ever() -> None:
    await asyncio.Event().wait()
