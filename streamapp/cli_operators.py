"""The commands for what went wrong: `streamapp dead-letters` and `streamapp deliveries`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import click

from streamapp.cli_api import client_of, url_option
from streamapp.cli_each import each, naming
from streamapp.cli_values import counted

__all__ = ["dead_letters", "deliveries"]

Command = Callable[..., Any]


def _filtered(command: Command) -> Command:
    """The options that say which dead letters are meant."""
    options = (
        click.option("--topic", help="Of this topic: email or webhook, say."),
        click.option("--job", help="Of this job."),
        click.option("--reason", help="Whose reason holds these words."),
        url_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _filter(**wanted: str | None) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if value is not None}


@click.group()
def dead_letters() -> None:
    """Look at what was given up, and send it again.

    Dead letters are messages that can't be worked on, and deliveries that failed for good.
    """


@dead_letters.command(name="list")
@click.option(
    "--state",
    type=click.Choice(["open", "redriven", "discarded", "all"]),
    default="open",
    show_default=True,
    help="In this state.",
)
@_filtered
def list_letters(state: str, topic: str | None, job: str | None, reason: str | None, url: str | None) -> None:
    """List dead letters, newest first.

    A line has a dead letter's id, its state, its attempts, when it was first seen, its job if that is known, the id of
    its delivery, or the topic, partition and offset of its message, and the reason.
    """
    with client_of(url) as client:
        page = client.get("/v1/dead-letters", **_filter(state=state, topic=topic, job=job, reason=reason))
    for letter in page["items"]:
        place = letter["delivery"] or f"{letter['topic']} {letter['partition']} {letter['offset']}"
        of_job = f"job {letter['job_id']}  " if letter["job_id"] else ""
        click.echo(
            f"{letter['id']:>6}  {letter['state']:<9}  {counted(letter['attempts'], 'attempt')}  "
            f"first {letter['first_seen'][:19]}  {of_job}{place}  {letter['reason']}"
        )
    if not page["items"]:
        click.echo("None.")
    if page["next"]:
        click.echo("There are more; narrow it down with --topic, --job or --reason.")


@dead_letters.command()
@click.argument("letter", type=int, metavar="ID")
@url_option
def show(letter: int, url: str | None) -> None:
    """Show one as JSON, with its message as far as it is text."""
    with client_of(url) as client, naming(letter):
        found = client.get(f"/v1/dead-letters/{letter}")
    if found["value"] is not None:
        found["value"] = base64.b64decode(found["value"]).decode("utf-8", "backslashreplace")
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


@dead_letters.command()
@click.argument("letters", type=int, nargs=-1, metavar="[ID]…")
@click.option("--all", "every", is_flag=True, help="All that are open.")
@_filtered
def redrive(
    letters: tuple[int, ...], every: bool, topic: str | None, job: str | None, reason: str | None, url: str | None
) -> None:
    """Send dead letters on their way again.

    Those with these IDs, or all open ones that match.
    """
    _treat(letters, "redrive", every, _filter(topic=topic, job=job, reason=reason), url)


@dead_letters.command()
@click.argument("letters", type=int, nargs=-1, metavar="[ID]…")
@click.option("--all", "every", is_flag=True, help="All that are open.")
@_filtered
def discard(
    letters: tuple[int, ...], every: bool, topic: str | None, job: str | None, reason: str | None, url: str | None
) -> None:
    """Do nothing more about dead letters.

    Those with these IDs, or all open ones that match.
    """
    _treat(letters, "discard", every, _filter(topic=topic, job=job, reason=reason), url)


def _treat(letters: tuple[int, ...], what: str, every: bool, wanted: dict[str, str], url: str | None) -> None:
    said = sum(map(bool, (letters, every, wanted)))
    if not said:
        raise click.UsageError("Name IDs, or say which with --topic, --job or --reason, or --all.")
    if said > 1:
        raise click.UsageError("Name IDs, a filter or --all: one of them.")
    wanted = {"state": "open"} if every else wanted
    with client_of(url) as client:
        each(letters, lambda letter: str(client.post(f"/v1/dead-letters/{letter}/{what}")["state"]))
        if wanted:
            click.echo(json.dumps(client.post(f"/v1/dead-letters/{what}", wanted)))


@click.group()
def deliveries() -> None:
    """Settle e-mails that may or may not have gone out.

    A worker died while it sent them; under STREAMAPP_IN_DOUBT=park they are parked then, until somebody says what
    became of them.
    """


@deliveries.command()
@url_option
def parked(url: str | None) -> None:
    """List e-mails in doubt, oldest first.

    A line has a delivery's id, its job, its address and why it is in doubt.
    """
    with client_of(url) as client:
        items = client.get("/v1/deliveries/parked")["items"]
    for delivery in items:
        why = delivery["last_error"] or "a worker died while sending"
        click.echo(f"{delivery['id']}  job {delivery['job_id']}  to {delivery['recipient']}  {why}")
    if not items:
        click.echo("None.")


@deliveries.command()
@click.argument("chosen", nargs=-1, required=True, metavar="ID…")
@click.option(
    "--as",
    "how",
    type=click.Choice(["sent", "resend"]),
    required=True,
    help="sent: it has arrived; resend: send it once more.",
)
@url_option
def settle(chosen: tuple[str, ...], how: str, url: str | None) -> None:
    """Say what became of e-mails in doubt.

    The IDs are those that `streamapp deliveries parked` lists.
    """
    with client_of(url) as client:
        each(chosen, lambda delivery: str(client.post(f"/v1/deliveries/{delivery}/{how}")["state"]))
