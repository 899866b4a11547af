"""The command for who may: `streamapp keys`, on the store itself, since it is the operators' alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from streamapp.cli_store import open_store
from streamapp.identity import DEFAULT_TENANT
from streamapp.store.keys import NewKey, create, keys_of, revoke

__all__ = ["keys"]

SCOPES = ("submit", "read", "admin")
_WITHOUT = f"Jobs that were sent without one are the tenant {DEFAULT_TENANT}'s."
TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it is a part of documents' paths


@click.group()
def keys() -> None:
    """Make, list and revoke the API's keys.

    They are in the store, so these commands are run where a worker runs.
    """


@keys.command(name="create")
@click.argument("name")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose jobs and inbox it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("submit", "read"),
    show_default=True,
    help="What it may do; repeatable.",
)
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Days until it expires.  [default: never]")
@click.option("--per-minute", type=click.IntRange(1), help="Requests a minute, of each worker.  [default: any number]")
@click.option(
    "--active-jobs",
    type=click.IntRange(1),
    help="Queued and running jobs of its tenant at which it may send no more.  [default: any number]",
)
def create_key(
    name: str,
    tenant: str,
    scopes: tuple[str, ...],
    days: float | None,
    per_minute: int | None,
    active_jobs: int | None,
) -> None:
    """Make a key called NAME and print it.

    It is not shown again.
    """
    if not TENANT.fullmatch(tenant):
        raise click.BadParameter("1 to 64 letters, digits, dots, hyphens or underscores", param_hint="--tenant")
    if not (0 < len(name) <= 100 and name.isprintable()):
        raise click.BadParameter("a name has 1 to 100 printable characters", param_hint="NAME")
    new = NewKey(tenant, name, frozenset(scopes), days, per_minute, active_jobs)
    with open_store() as database:
        before = [row for row in database.read_sync(keys_of) if row.stands]
        identity, key = database.write_sync(create, new)
    click.echo(f"key {identity} of tenant {tenant}; this is the only time that it is shown:", err=True)
    click.echo(key)
    if not before:
        click.echo(
            f"In a few seconds, once every worker has seen it, each request and page needs a key. {_WITHOUT}", err=True
        )
    if "admin" not in scopes and not any("admin" in row.scopes for row in before):
        click.echo(
            "No key may administer yet; `streamapp keys create NAME --scope admin` makes one that may.", err=True
        )


@keys.command(name="list")
@click.option("--tenant", help="Of this tenant only.")
def list_keys(tenant: str | None) -> None:
    """List the keys, oldest first.

    A line has a key's id, its state, its tenant, its scopes, until when it can be used or since when it is revoked,
    when it was last used, its name and its limits. A key itself can't be read any more.
    """
    with open_store() as database:
        rows = database.read_sync(keys_of, tenant)
    for row in rows:
        state = "usable" if row.stands else "revoked" if row.revoked_at else "expired"
        until = f"since {_day(row.revoked_at, '')}" if row.revoked_at else f"until {_day(row.expires_at, 'revoked')}"
        limits = [
            *([f"{row.per_minute} a minute"] if row.per_minute else []),
            *([f"{row.active_jobs} active jobs"] if row.active_jobs else []),
        ]
        click.echo(
            f"{row.id}  {state:<7}  {row.tenant:<16}  {row.scopes:<17}  {until}  "
            f"last used {_day(row.last_used_at, 'never')}  {row.name}" + "".join(f", {limit}" for limit in limits)
        )
    if not rows:
        click.echo("None.")


@keys.command(name="revoke")
@click.argument("identity", metavar="ID")
def revoke_key(identity: str) -> None:
    """Revoke the key with that ID, which `list` shows.

    Workers follow within a few seconds.
    """
    with open_store() as database:
        if not database.write_sync(revoke, identity):
            raise click.ClickException(f"There is no key {identity}, or it was revoked before.")
    click.echo(f"key {identity} is revoked; workers refuse it within a few seconds")


def _day(moment: float | None, otherwise: str) -> str:
    return otherwise if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"
