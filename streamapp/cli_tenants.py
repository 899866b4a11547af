"""The command for who gets how much: `streamapp tenants`, on the store itself, since it is the operators' alone."""

from __future__ import annotations

import click

from streamapp.cli_store import LONGEST_NAME, open_store
from streamapp.settings import load_settings
from streamapp.store import rooms
from streamapp.store.known_tenants import is_known, known

__all__ = ["tenants"]


@click.group()
def tenants() -> None:
    """Set weights and limits of those who send work.

    They are in the store, so these commands are run where a worker runs.
    """


@tenants.command(name="list")
def list_tenants() -> None:
    """List tenants, with what they have running and queued."""
    usual = load_settings().tenant_running
    with open_store() as database:
        rows = database.read_sync(rooms.tenants_of)
    for row in rows:
        limit = usual if row.running is None else row.running
        most = f"of {limit} at most" if limit else "of any number"
        held = "  paused" if row.paused else ""
        click.echo(f"{row.tenant:<24}  weight {row.weight:g}  {row.active} running {most}  {row.queued} queued{held}")
    if not rows:
        click.echo("None.")


@tenants.command(name="set")
@click.argument("name")
@click.option("--weight", type=click.FloatRange(0.01, 1000), help="Its share of the models; others have 1.")
@click.option(
    "--running", metavar="N", help="How many of its jobs run at a time, 0: any number; usual: as the settings say."
)
def set_tenant(name: str, weight: float | None, running: str | None) -> None:
    """Set the weight or the limit of tenant NAME.

    It need not have sent anything yet.
    """
    if weight is None and running is None:
        raise click.UsageError("Say --weight, --running or both.")
    if running not in (None, "usual") and not (running.isascii() and running.isdigit() and len(running) < 7):
        raise click.BadParameter(f"{running!r} is neither a number from 0 nor `usual`", param_hint="--running")
    _check_name(name)
    limit = None if running in (None, "usual") else int(running)
    with open_store() as database:
        if not database.read_sync(is_known, name):  # it may be a slip
            click.echo(f"tenant {name} is new: it has no key and no job yet", err=True)
        database.write_sync(rooms.set_tenant, name, weight, limit, usual=running == "usual")


@tenants.command()
@click.argument("name")
def pause(name: str) -> None:
    """Take no new jobs of tenant NAME, and let its jobs wait.

    What is in work now still comes to its end. A tenant that has no key and no job yet is there once it was `set`.
    """
    _pause(name, True)
    click.echo(f"tenant {name} is paused; what is in work now still comes to its end")


@tenants.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let tenant NAME go on after a pause."""
    _pause(name, False)
    click.echo(f"tenant {name} goes on")


def _pause(name: str, paused: bool) -> None:
    """A name that is nobody's is a slip: in a hurry, it would look as if the one that was meant were paused."""
    _check_name(name)
    with open_store() as database:
        if not database.read_sync(is_known, name):
            there = ", ".join(database.read_sync(known))
            raise click.ClickException(f"There is no tenant {name} with a key, a job or a limit; there are: {there}.")
        database.write_sync(rooms.pause, name, paused)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= LONGEST_NAME:
        raise click.BadParameter(f"a name has 1 to {LONGEST_NAME} characters", param_hint="NAME")
