"""The commands for jobs, and what was done to many of them: `streamapp jobs`, `jobs cancel` …, `streamapp audit`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from streamapp.cli_api import client_of, url_option
from streamapp.cli_each import each
from streamapp.cli_values import Deadline, Several, Time, counted, first_line
from streamapp.resources import JobResource

if TYPE_CHECKING:
    from streamapp.client import Client

__all__ = ["audit", "jobs"]

STATUSES = ["queued", "running", "succeeded", "failed", "cancelled", "expired"]
DELIVERIES = ["pending", "sending", "sent", "parked", "dead"]


@click.group(invoke_without_command=True)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=Several(STATUSES),
    help="In this state; several with commas, or repeated.",
)
@click.option("--task", metavar="NAME", help="Of this task.")
@click.option("--after", type=Time(), help="Accepted then or later: 2026-01-31, or 2026-01-31T18:00+01:00; else UTC.")
@click.option("--before", type=Time(), help="Accepted before that time.")
@click.option("--email", metavar="ADDRESS", help="Whose result goes to this address; shows what became of the e-mail.")
@click.option("--error", help="Whose error holds these words.")
@click.option("--delivery", type=click.Choice(DELIVERIES), help="Whose e-mail is in this state.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many.")
@click.option("--cursor", help="Go on where the list before ended, which has printed this.")
@url_option
@click.pass_context
def jobs(
    context: click.Context,
    /,
    statuses: tuple[str, ...],
    after: datetime | None,
    before: datetime | None,
    limit: int,
    url: str | None,
    **named: str | None,
) -> None:
    """List the newest jobs, or those that match.

    A line has a job's id, its state, how many of its items are done, when it was accepted, its task and its name.
    """
    if context.invoked_subcommand is not None:
        return
    wanted: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if statuses:
        wanted["status"] = ",".join(statuses)
    for name, moment in (("created_after", after), ("created_before", before)):
        if moment is not None:
            wanted[name] = moment.isoformat()
    with client_of(url) as client:
        page = client.jobs(limit, **wanted)
    for job in page.items:
        _show(job)
    if not page.items:
        click.echo("None." if wanted else "No jobs yet. Send one: streamapp submit FILE")
    if page.next:
        click.echo(f"There are more: --cursor {page.next}", err=True)


@jobs.command()
@click.argument("chosen", nargs=-1, metavar="[ID]…")
@click.option("--task", metavar="NAME", help="All of this task, for which an admin's key is needed.")
@url_option
def cancel(chosen: tuple[str, ...], task: str | None, url: str | None) -> None:
    """Cancel jobs that have not ended.

    Those that have stay as they are. Each is tried; the exit code is 1 where one can't be cancelled.
    """
    if bool(chosen) == (task is not None):
        raise click.UsageError("Name IDs, or a task with --task: one of them.")
    with client_of(url) as client:
        each(chosen, lambda job_id: client.cancel(job_id).status)
        if task is not None:
            click.echo(f"{counted(_cancel_all(client, task), 'job')} cancelled")


def _cancel_all(client: Client, task: str) -> int:
    changed = 0
    place: dict[str, str] = {}
    while True:
        page = client.post("/v1/jobs/cancel", {"task": task, **place})
        changed += int(page["changed"])
        if page["next"] is None:
            return changed
        place = {"cursor": page["next"]}


@jobs.command()
@click.argument("chosen", nargs=-1, required=True, metavar="ID…")
@click.option(
    "--deadline",
    type=Deadline(),
    help="When the result is of no more use: 2h, 3d, or a time like 2030-01-31T12:00Z. Without it one that "
    "lies ahead stays, and one that has passed is gone.",
)
@url_option
def retry(chosen: tuple[str, ...], deadline: datetime | timedelta | None, url: str | None) -> None:
    """Start jobs again that failed, expired or were cancelled.

    Each is tried; the exit code is 1 where one can't be started.
    """
    with client_of(url) as client:

        def again(job_id: str) -> str:
            job = client.retry(job_id, deadline=deadline)
            return f"{job.status}, run {job.run}"

        each(chosen, again)


@jobs.command()
@click.argument("chosen", nargs=-1, required=True, metavar="ID…")
@url_option
def delete(chosen: tuple[str, ...], url: str | None) -> None:
    """Delete jobs that have ended, with all that they stored.

    Their documents and their reports go too, and nothing brings them back. Each is tried; the exit code is 1 where one
    can't be deleted.
    """
    with client_of(url) as client:

        def gone(job_id: str) -> str:
            client.delete(job_id)
            return "deleted"

        each(chosen, gone)


def _show(job: JobResource) -> None:
    done = f"{job.progress.done}/{job.progress.total}" if job.progress.total else "-"
    line = f"{job.id}  {job.status:<9}  {done:>11}  {job.created_at:%Y-%m-%d %H:%M}  {job.task}  {job.name or ''}"
    click.echo(f"{line}  {first_line(job.error)}" if job.error else line)
    for mail in job.deliveries:
        if mail.kind == "email":
            when = f" {mail.sent_at:%Y-%m-%d %H:%M}" if mail.sent_at else ""
            why = f": {first_line(mail.last_error)}" if mail.last_error else ""
            click.echo(f"    e-mail to {mail.recipient} {mail.state}{when}, {counted(mail.attempts, 'attempt')}{why}")


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many.")
@url_option
def audit(limit: int, url: str | None) -> None:
    """Show what was done to many jobs at a time.

    A line for each cancel and each retry by a filter (POST /v1/jobs/cancel and /v1/jobs/retry): when, with which key,
    what, to how many jobs, by which filter.
    """
    with client_of(url) as client:
        page = client.get("/v1/audit", limit=str(limit))
    for line in page["items"]:
        wanted = json.dumps(line["filter"], ensure_ascii=False)
        click.echo(f"{line['at'][:19]}  {line['key'] or '-'}  {line['what']:<7}  {line['changed']:>5} jobs  {wanted}")
    if not page["items"]:
        click.echo("None.")
