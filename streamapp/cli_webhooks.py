"""The commands for webhooks: their secrets, on the store itself, and a receiver for developers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from streamapp.cli_store import LONGEST_NAME, open_store
from streamapp.errors import ConfigurationError
from streamapp.identity import DEFAULT_TENANT
from streamapp.settings import Settings, load_settings
from streamapp.store import webhook_secrets
from streamapp.store.keys import any_key
from streamapp.store.webhook_secrets import Secret

__all__ = ["listen", "webhooks"]

PORT = 6070
HOUR_S = 3600.0

Command = Callable[..., Any]


def _of_tenant(command: Command) -> Command:
    def checked(_: click.Context, __: click.Parameter, value: str) -> str:
        if not 0 < len(value) <= LONGEST_NAME:
            raise click.BadParameter(f"a name has 1 to {LONGEST_NAME} characters")
        return value

    option = click.option(
        "--tenant", default=DEFAULT_TENANT, show_default=True, callback=checked, help="The tenant whose secret it is."
    )
    decorated: Command = option(command)
    return decorated


@click.group()
def webhooks() -> None:
    """Show or change what webhooks are signed with."""


@webhooks.group()
def secret() -> None:
    """Show or change a tenant's secret.

    Its webhooks are signed with it, and receivers check the signature with it.
    """


@secret.command()
@_of_tenant
def show(tenant: str) -> None:
    """Print the secret, and the one before it while that signs too.

    A secret is made when there is none.
    """
    for each in _current(tenant):
        click.echo(_line(each))


@secret.command()
@_of_tenant
@click.option(
    "--keep",
    "hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0, 24 * 365),
    help="For how many hours the old one signs too.",
)
def rotate(tenant: str, hours: float) -> None:
    """Make a new secret.

    Until the old one ends there is a signature by each, so that receivers can change it when they like.
    """
    with open_store() as database:
        database.write_sync(webhook_secrets.rotate, tenant, hours * HOUR_S)
    for each in _current(tenant):
        click.echo(_line(each))


@secret.command()
@_of_tenant
def expire(tenant: str) -> None:
    """End the secret before the newest at once."""
    with open_store() as database:
        gone = database.write_sync(webhook_secrets.expire, tenant)
    click.echo("It is gone." if gone else "There was none but the newest.")


@click.command()
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Where to listen.")
@click.option("--secret", "given", help="The secret to check with.  [default: the tenant's, from the store]")
@_of_tenant
@click.option(
    "--answer", default=204, show_default=True, type=click.IntRange(200, 599), help="The HTTP status to answer with."
)
def listen(port: int, given: str | None, tenant: str, answer: int) -> None:
    """Receive webhooks on this machine, check and show them.

    It prints a curl line to try it with. Ctrl-C ends it.
    """
    try:
        with _to_check_with(given, tenant) as (secrets, with_key):
            asyncio.run(_listen(port, secrets, answer, _curl_line(load_settings(), port, with_key=with_key)))
    except OSError as error:
        raise ConfigurationError(f"Port {port} can't be listened on ({error}); name another with --port.") from error
    except KeyboardInterrupt:
        click.echo()


@contextmanager
def _to_check_with(given: str | None, tenant: str) -> Iterator[tuple[Callable[[], Sequence[str]], bool]]:
    """What gives the secrets that hold at the moment, `given` or the tenant's; and whether the store has keys."""
    if given is not None:
        _check(given)
        yield lambda: [str(given)], False
        return
    with open_store() as database:
        database.write_sync(webhook_secrets.current, tenant)  # makes it, if need be
        keys = database.read_sync(any_key)
        yield lambda: [each.secret for each in database.read_sync(webhook_secrets.current, tenant)], keys


def _check(given: str) -> None:
    from streamapp.delivery.signing import key_of

    try:
        key_of(given)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--secret") from error


async def _listen(port: int, secrets: Callable[[], Sequence[str]], answer: int, line: str) -> None:
    from streamapp.delivery.listen import HOST, listening, shown

    async with listening(port, secrets, lambda received: click.echo(shown(received)), answer):
        click.echo(f"Listening on http://{HOST}:{port}/. To try it:")
        click.echo(line)
        await asyncio.Event().wait()


def _curl_line(settings: Settings, port: int, *, with_key: bool) -> str:
    """A line to copy. The key is named and not shown: it may end up in a shell's history."""
    from streamapp.delivery.listen import HOST

    body = json.dumps({"task": "echo", "text": "Hello.", "webhook": f"http://{HOST}:{port}/"})
    asked = settings.keys == "required" or (settings.keys == "auto" and (with_key or not settings.is_local))
    key = '-H "Authorization: Bearer $STREAMAPP_API_KEY" ' if asked or settings.api_key else ""
    return f"curl {key}{settings.link_base}/v1/jobs -H 'Content-Type: application/json' -d '{body}'"


def _current(tenant: str) -> list[Secret]:
    with open_store() as database:
        return database.write_sync(webhook_secrets.current, tenant)


def _line(each: Secret) -> str:
    if each.expires_at is None:
        return each.secret
    return f"{each.secret}  until {datetime.fromtimestamp(each.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
