"""The command `streamapp`: run it all, send work, look at jobs and topics, try a task without Kafka."""

from __future__ import annotations

import asyncio
import sys

import click

from streamapp import __version__
from streamapp.cli_doctor import doctor
from streamapp.cli_follow import INTERRUPTED
from streamapp.cli_jobs import audit, jobs
from streamapp.cli_keys import keys
from streamapp.cli_operators import dead_letters, deliveries
from streamapp.cli_recovery import backup, rewind, with_broker
from streamapp.cli_send import job, submit
from streamapp.cli_tenants import tenants
from streamapp.cli_try import try_task
from streamapp.cli_values import counted, lasting
from streamapp.cli_webhooks import listen, webhooks
from streamapp.errors import ConfigurationError, StreamappError
from streamapp.settings import load_settings

__all__ = ["main"]

FAILED = 1


class Commands(click.Group):
    """The commands in the order in which they are needed; Ctrl-C ends each of them without a word."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those for everybody first, then those for operators."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run one; where it does not do something else at Ctrl-C, the exit code is that of an interrupt."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)  # the shell's next line is not to begin behind its ^C
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Run slow model inference behind a fast HTTP call: send a document, get a report.

    `streamapp up` starts everything on this machine, `streamapp submit FILE --wait` sends a document and prints its
    report, and `streamapp doctor` finds out what is wrong. `streamapp COMMAND --help` says more about each.

    Settings are environment variables that begin with STREAMAPP_; README.md lists them.
    """


def main() -> None:
    """The entry point: a failure that has a name is one sentence and an exit code."""
    try:
        cli(standalone_mode=True)
    except ConfigurationError as error:
        click.echo(f"streamapp: {error}", err=True)
        sys.exit(78)
    except StreamappError as error:
        click.echo(f"streamapp: {error}", err=True)
        sys.exit(FAILED)


@click.command()
def up() -> None:
    """Start everything on this machine, and stay until Ctrl-C.

    That is a Kafka broker, unless STREAMAPP_BROKER names one, its topics, a mailbox, unless STREAMAPP_SMTP_URL names a
    mail server, and the workers. All that it keeps is in the folder ./var, or in the one that STREAMAPP_HOME names.
    When all is up it prints the address of the pages.
    """
    from streamapp.embedded.up import up as start

    sys.exit(start(load_settings()))


@click.command()
@click.option("--create", is_flag=True, help="Create the missing ones.")
def topics(create: bool) -> None:
    """Show the needed Kafka topics, and which are missing.

    They are looked for on the broker that STREAMAPP_BROKER names, else on that of `streamapp up`. The exit code is 1
    where one is missing.
    """
    from streamapp.tasks.registry import load_registry
    from streamapp.topics import provision, specs, survey

    settings = with_broker(load_settings())
    predictors = load_registry(settings.tasks, settings.only_tasks).predictors
    if create:
        there = asyncio.run(provision(settings.model_copy(update={"topic_create": True}), predictors))
    else:
        there = asyncio.run(survey(settings, predictors))
    for spec in specs(settings, predictors):
        partitions = counted(there[spec.name], "partition") if spec.name in there else "missing"
        click.echo(f"{spec.name:<32} {partitions:<14} kept {lasting(spec.retention_ms / 1000)}")
    if len(there) < len(specs(settings, predictors)):
        sys.exit(FAILED)


for each in (up, submit, jobs, job, doctor, listen, try_task):
    cli.add_command(each)
for each in (topics, dead_letters, deliveries, audit, keys, tenants, webhooks, backup, rewind):  # operators'
    cli.add_command(each)


if __name__ == "__main__":
    main()
