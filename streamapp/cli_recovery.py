"""The commands for a store's second life: `streamapp backup` and `streamapp rewind`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamapp.errors import ConfigurationError
from streamapp.settings import Settings, load_settings

if TYPE_CHECKING:
    from streamapp.embedded.screen import Screen
    from streamapp.jobs.rewind import Rewound

__all__ = ["backup", "rewind", "with_broker"]


BROKER_START_S, BROKER_GRACE_S = 90.0, 5.0
AHEAD_S = 300.0  # clocks differ


class Moment(click.ParamType):
    """A time in ISO 8601, in UTC unless it says otherwise, or in seconds since the epoch."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since the epoch."""
        try:
            return float(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: write it like 2026-01-31T18:00:00Z.", param, ctx)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if seconds > time.time() + AHEAD_S:
            self.fail(f"{value!r} is in the future: name the time of the backup, or one before it.", param, ctx)
        return seconds


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Copy the SQLite store into FILE, while workers run or not.

    The copy is checked. Documents are not in it; it says which folder to copy too.
    """
    from streamapp.embedded.screen import Screen
    from streamapp.store.backup import back_up

    settings, began = load_settings(), datetime.now(UTC)
    with Screen().step("Copying and checking the store") as step:
        size = back_up(settings.store_url, file, step.at)
    click.echo(f"{file}: {size} bytes, as of {began:%Y-%m-%dT%H:%M:%SZ}")
    click.echo(f"The documents are not in it: copy {settings.blobs} too. Topics and mailbox need no copy.")


@click.command()
@click.option("--since", type=Moment(), required=True, help="When the backup was made, or some time before.")
def rewind(since: float) -> None:
    """Enter what only the topics remember, after a restore.

    Stop all workers, put the backup of the store in its place, then run this: jobs that were accepted since the backup
    are entered again.
    """
    done = asyncio.run(_rewind(load_settings(), since))
    jobs = done.jobs
    click.echo(f"Jobs entered again: {jobs['entered']} (known: {jobs['known']}, removed before: {jobs['removed']}).")
    if jobs["key taken"]:
        click.echo(f"Not entered, because another job has their idempotency key: {jobs['key taken']}.")
    if jobs["unreadable"]:
        click.echo(f"Messages that carry no job as it was accepted: {jobs['unreadable']}.")
    click.echo(
        f"E-mails that may have gone out since: {done.emails}. None of these goes out again by itself: {done.parked} "
        "are parked, the others will be when their jobs end again in the run that they were of."
    )
    click.echo("Start the workers; then `streamapp deliveries parked` lists what to settle.")


async def _rewind(settings: Settings, since: float) -> Rewound:
    from streamapp.embedded.screen import Screen
    from streamapp.jobs.rewind import rewind as work
    from streamapp.store.database import Database
    from streamapp.store.migrate import migrate

    # a broker that has just started elects its leaders, and the client says so in several lines; what matters is raised
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    screen, database = Screen(), Database(settings.store_url)
    try:
        async with _a_broker(settings, screen) as named:
            await asyncio.to_thread(migrate, database)
            with screen.step("Reading the topics") as step:
                return await work(named, database, since, step.at)
    finally:
        database.close()


@asynccontextmanager
async def _a_broker(settings: Settings, screen: Screen) -> AsyncIterator[Settings]:
    """The settings with a broker that runs: the one they name, or the home's own, started without a worker."""
    from streamapp.embedded.broker import Broker, answers
    from streamapp.embedded.home import HomeLock
    from streamapp.kafka.access import Kafka

    if settings.broker:
        yield settings
        return
    with HomeLock(settings.home):
        broker = Broker(settings.home)
        await broker.prepare()
        child = await broker.start()
        try:
            with screen.step("Kafka"):
                await answers(Kafka(broker.address), BROKER_START_S)
            yield settings.model_copy(update={"broker": broker.address})
        finally:
            await child.stop(BROKER_GRACE_S)


def with_broker(settings: Settings) -> Settings:
    """The settings with a broker: the one they name, or the home's own if it runs. Raises `ConfigurationError`."""
    from streamapp.embedded.ports import local_broker

    broker = settings.broker or local_broker(settings.home)
    if broker is None:
        raise ConfigurationError(
            f"STREAMAPP_BROKER is not set, and no broker of {settings.home} runs: name one, or start `streamapp up`."
        )
    return settings.model_copy(update={"broker": broker})
