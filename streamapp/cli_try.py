"""`streamapp try`. A child process does it, so that somebody is left to say where the task's code ended it."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from streamapp.cli_params import params_of
from streamapp.errors import TaskFailed
from streamapp.leaving import how_ended
from streamapp.settings import load_settings

__all__ = ["try_task"]

FAILED = 1


@click.command(name="try")
@click.argument("task")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the task; repeatable.")
@click.option("--media-type", metavar="TYPE", help="What FILE is, such as text/plain.  [default: by name and bytes]")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the plot, a PNG file.")
def try_task(task: str, file: Path, params: tuple[str, ...], media_type: str | None, plot: Path | None) -> None:
    """Run TASK on FILE here and now, and print the report.

    It all happens here, without Kafka, a store or a worker: for those who write a task.
    """
    with _in_a_child(task):
        from streamapp.trial import run_trial

        faulthandler.enable()  # a crash in native code would end it without a word
        trial = run_trial(load_settings(), task, file, params_of(params), media_type)
    report = trial.report
    click.echo(f"subject: {report.subject}", err=True)
    click.echo(report.text)
    if report.data:
        click.echo(f"data: {', '.join(report.data)} ({len(json.dumps(report.data)):,} bytes of JSON)", err=True)
    if trial.failed:
        click.echo(f"{trial.failed} of {trial.items} items failed; the first: {trial.first}", err=True)
    if plot is not None and report.plot is None:
        click.echo(f"Task {task} made no plot.", err=True)
    elif plot is not None and report.plot is not None:
        plot.write_bytes(report.plot.png)
        click.echo(f"plot: {plot}", err=True)
    if trial.failed and trial.failed == trial.items:
        sys.exit(FAILED)


@contextmanager
def _in_a_child(task: str) -> Iterator[None]:
    """From here on a child process goes on, with this one's terminal, and ends with it; this one waits for its end.

    It leaves with the child's exit code, and raises `TaskFailed` when the child ended inside of the block.
    """
    leash, holds = os.pipe()
    sees, says = os.pipe()
    if child := os.fork():  # as one thread yet: nothing that starts any is imported
        os.close(leash)
        os.close(says)
        sys.exit(_end_of(child, sees, task))
    os.close(holds)
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C ends the other one, and the leash then this one
    threading.Thread(target=_end_with, args=(leash,), name="leash", daemon=True).start()
    try:
        yield
    finally:
        os.write(says, b".")  # not reached by what ends a process


def _end_with(leash: int) -> None:
    os.read(leash, 1)
    os._exit(FAILED)


def _end_of(child: int, sees: int, task: str) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.set_blocking(sees, False)  # a grandchild may hold the other end open
    try:
        through = os.read(sees, 1)
    except BlockingIOError:
        through = b""
    if not through:
        raise TaskFailed(f"The process that ran task {task} ended {how_ended(code)}; a worker's would end like it.")
    return code if code >= 0 else 128 - code
