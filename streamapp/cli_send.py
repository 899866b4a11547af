"""The commands that send a job and look at one: `streamapp submit` and `streamapp job`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streamapp.cli_api import client_of
from streamapp.cli_follow import followed
from streamapp.cli_params import params_of
from streamapp.client import Sending
from streamapp.resources import JobResource
from streamapp.settings import load_settings

__all__ = ["job", "submit"]

FAILED = 1


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--task", help="What to do with it.  [default: the settings' default task]")
@click.option("--email", help="Where to send the result.")
@click.option("--webhook", help="The https URL that is told when it has ended.")
@click.option("--name", help="What to call the job.")
@click.option("--media-type", help="What FILE is.  [default: by its name]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the task; repeatable.")
@click.option("--fresh", is_flag=True, help="Have it computed anew, and nothing answered from memory.")
@click.option("--key", help="The idempotency key: the same key and file give the same job.")
@click.option("--wait", is_flag=True, help="Wait for the end and print the report.")
@click.option("--url", help="Where the API is.  [default: as in the settings]")
def submit(
    file: Path,
    task: str | None,
    params: tuple[str, ...],
    fresh: bool,
    key: str | None,
    wait: bool,
    url: str | None,
    **named: str | None,
) -> None:
    """Send FILE to be worked on."""
    if key is not None and not (key and key.isascii() and key.isprintable()):
        raise click.BadParameter("printable ASCII, at least one character", param_hint="--key")
    sending: Sending = {name: value for name, value in named.items() if value is not None}  # type: ignore[assignment] # the options' names
    if params:
        sending["params"] = params_of(params)
    if fresh:
        sending["fresh"] = True
    with client_of(url) as client:
        sent = client.submit(task or load_settings().default_task, file=file, key=key, **sending)
    click.echo(f"job {sent.id}", err=wait)
    if wait:
        sys.exit(_show_end(followed(sent.id, url)))


@click.command()
@click.argument("job_id", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait for the end first.")
@click.option("--url", help="Where the API is.")
def job(job_id: str, wait: bool, url: str | None) -> None:
    """Show job ID as JSON."""
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
    click.echo(f"streamapp: the job has {job.status}: {job.error or 'no reason is known'}", err=True)
    return FAILED
