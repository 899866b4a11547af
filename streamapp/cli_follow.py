"""A job that somebody waits for at a terminal: how far it is, its place in the queue, the time left, what there is yet.

Its stream tells of progress and partial reports; place and time left change without an event, so they are asked for now
and then beside it.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import suppress

import click
from rich.console import Console

from streamapp.cli_api import async_client_of
from streamapp.client import ApiError, ApiUnreachable, AsyncClient
from streamapp.embedded.screen import Screen, Step
from streamapp.event_resources import PartialEvent, ProgressEvent
from streamapp.resources import JobResource

__all__ = ["INTERRUPTED", "Showing", "follow", "followed", "left"]

LOOK_S = 2.0
INTERRUPTED = 130  # as shells have it for SIGINT
SO_FAR = "So far, a part of the report:\n"
HEADING = re.compile(r"[^\n]+\n(?:-+|=+)")  # a line that is underlined, as in Markdown


def followed(job_id: str, url: str | None) -> JobResource:
    """The job once it has ended, shown on stderr till then. Ctrl-C leaves it running, says so, and exits."""
    screen = Screen(Console(stderr=True, highlight=False))
    try:
        return asyncio.run(_followed(job_id, url, screen))
    except KeyboardInterrupt:
        there = f" --url {url}" if url else ""
        click.echo(f"Job {job_id} goes on.", err=True)
        click.echo(f"  wait for it again  streamapp job {job_id} --wait{there}", err=True)
        click.echo(f"  cancel it          streamapp jobs cancel {job_id}{there}", err=True)
        sys.exit(INTERRUPTED)


async def follow(client: AsyncClient, job_id: str, screen: Screen, look_s: float = LOOK_S) -> JobResource:
    """The same with a client and a screen."""
    with screen.step(f"job {job_id}") as step:
        showing = Showing(screen, step)
        looking = asyncio.create_task(_look(client, job_id, showing, look_s))
        try:
            with suppress(ApiError, ApiUnreachable):  # without a stream it is asked now and then
                async for event in client.stream(job_id):
                    if isinstance(event.data, ProgressEvent):
                        showing.at(event.data)
                    elif isinstance(event.data, PartialEvent):
                        showing.part(event.data)
            job = await client.wait(job_id)
            if job.status != "succeeded":
                step.fail()
            return job
        finally:
            looking.cancel()


class Showing:
    """What is on the screen of one job."""

    def __init__(self, screen: Screen, step: Step) -> None:
        self._screen, self._step = screen, step
        self._shown: set[tuple[str, str]] = set()
        self._queued = False

    def seen(self, job: JobResource) -> None:
        """Where it stands now."""
        self._queued = job.position is not None
        if words := left(job):
            self._step.say(words)
        self._step.at(job.progress.done, job.progress.total)

    def at(self, progress: ProgressEvent) -> None:
        """How far it is: then it stands in the queue no more, whatever was seen last."""
        if self._queued and progress.done:
            self._queued = False
            self._step.say("it runs")
        self._step.at(progress.done, progress.total)

    def part(self, partial: PartialEvent) -> None:
        """Those paragraphs of a partial report that were not shown yet: each report replaces the one before."""
        for at, paragraph in enumerate(self._new(partial.text)):
            if not at:
                self._screen.line(SO_FAR)
            self._screen.line(f"{paragraph}\n")

    def _new(self, text: str) -> Iterator[str]:
        """They, each with the heading that it stands under, also where that was shown before."""
        heading = told = ""
        for paragraph in text.strip().split("\n\n"):
            if HEADING.fullmatch(paragraph):
                heading = paragraph
            elif (heading, paragraph) not in self._shown:
                self._shown.add((heading, paragraph))
                if heading != told:
                    yield heading
                    told = heading
                yield paragraph


def left(job: JobResource) -> str:
    """Its place in the queue and the time left, as far as they are known."""
    place = f"number {job.position} in the queue" if job.position else ""
    if job.eta_s is None:
        return place
    seconds = round(job.eta_s)
    time = f"about {seconds} s left" if seconds < 100 else f"about {round(seconds / 60)} min left"
    return ", ".join(words for words in (place, time) if words)


async def _followed(job_id: str, url: str | None, screen: Screen) -> JobResource:
    async with async_client_of(url) as client:
        return await follow(client, job_id, screen)


async def _look(client: AsyncClient, job_id: str, showing: Showing, every_s: float) -> None:
    while True:
        with suppress(ApiError, ApiUnreachable):  # whoever waits for the end will hear of it
            showing.seen(await client.job(job_id))
        await asyncio.sleep(every_s)
