"""The commands that send a job and look at one: `streamapp submit` and `streamapp job`."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from streamapp.cli_api import client_of, url_option
from streamapp.cli_each import naming
from streamapp.cli_follow import followed
from streamapp.cli_input import document_at
from streamapp.cli_params import params_of
from streamapp.cli_values import Deadline, Priority
from streamapp.client import Sending
from streamapp.resources import JobResource
from streamapp.settings import load_settings

__all__ = ["job", "submit"]

FAILED = 1


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--task", metavar="NAME", help="What to do with it.  [default: as the settings say, else summarize]")
@click.option("--email", metavar="ADDRESS", help="Where to send the result.")
@click.option("--webhook", metavar="URL", help="The https URL that is told when it has ended.")
@click.option("--name", help="What to call the job.  [default: FILE's name, or its first words]")
@click.option("--media-type", metavar="TYPE", help="What FILE is, such as text/plain.  [default: by name and bytes]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the task; repeatable.")
@click.option("--priority", type=Priority(), help="-3 to 3; each step doubles its share of the models.  [default: 0]")
@click.option(
    "--deadline", type=Deadline(), help="When the result is of no more use: 2h, 3d, or a time like 2030-01-31T12:00Z."
)
@click.option("--fresh", is_flag=True, help="Compute all of it anew, and answer nothing from memory.")
@click.option("--key", help="An idempotency key: the same key, FILE and options give the same job.")
@click.option("--wait", is_flag=True, help="Show how far it is, wait for the end, and print the report.")
@url_option
def submit(
    file: Path,
    task: str | None,
    params: tuple[str, ...],
    fresh: bool,
    key: str | None,
    wait: bool,
    url: str | None,
    **named: Any,
) -> None:
    """Send FILE to be worked on, and print the job's id.

    FILE is a text, a Markdown, HTML, EPUB, PDF or DOCX file, or whatever else the task takes; `-` is standard input.
    That has no name, and Markdown is not told by its bytes: say --media-type text/markdown with it.
    """
    _check_key(key, named["deadline"])
    sending: Sending = {name: value for name, value in named.items() if value is not None}  # type: ignore[assignment] # the options' names
    if params:
        sending["params"] = params_of(params)
    if fresh:
        sending["fresh"] = True
    with client_of(url) as client, document_at(file) as document:
        sent = client.submit(task or load_settings().default_task, file=document, key=key, **sending)
    click.echo(f"job {sent.id}", err=wait)
    if wait:
        sys.exit(_show_end(followed(sent.id, url)))


def _check_key(key: str | None, deadline: datetime | timedelta | None) -> None:
    if key is None:
        return
    if not (key and key.isascii() and key.isprintable()):
        raise click.BadParameter("printable ASCII, at least one character", param_hint="--key")
    if isinstance(deadline, timedelta):
        raise click.BadParameter(
            "beside --key say a time like 2030-01-31T12:00Z: counted from now it is another one each time, and the "
            "same key with another job is refused.",
            param_hint="--deadline",
        )


@click.command()
@click.argument("job_id", metavar="ID")
@click.option("--wait", is_flag=True, help="Show how far it is, and wait for the end first.")
@url_option
def job(job_id: str, wait: bool, url: str | None) -> None:
    """Show one job as JSON: its state, report and deliveries."""
    with naming(job_id):
        if wait:
            found = followed(job_id, url)
        else:
            with client_of(url) as client:
                found = client.job(job_id)
    click.echo(found.model_dump_json(indent=2))


def _show_end(job: JobResource) -> int:
    if job.report is not None:
        click.echo(job.report.text)
        return 0
    became = "was cancelled" if job.status == "cancelled" else f"has {job.status}"
    click.echo(f"streamapp: the job {became}: {job.error or 'no reason is known'}", err=True)
    return FAILED
