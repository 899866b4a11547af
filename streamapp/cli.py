"""The command `streamapp`: run it all, send work, look at jobs and topics, try a task without Kafka."""

from __future__ import annotations

import asyncio
import faulthandler
import sys
from pathlib import Path

import click

from streamapp import __version__
from streamapp.cli_doctor import doctor
from streamapp.cli_jobs import audit, jobs
from streamapp.cli_keys import keys
from streamapp.cli_operators import dead_letters, deliveries
from streamapp.cli_params import params_of
from streamapp.cli_recovery import backup, rewind, with_broker
from streamapp.cli_send import job, submit
from streamapp.cli_tenants import tenants
from streamapp.cli_webhooks import listen, webhooks
from streamapp.errors import ConfigurationError, StreamappError
from streamapp.settings import load_settings

__all__ = ["main"]

FAILED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Asynchronous model inference that people can rely on."""


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


@cli.command()
def up() -> None:
    """Start everything on this machine, and stay until Ctrl-C."""
    from streamapp.embedded.up import up as start

    sys.exit(start(load_settings()))


@cli.command()
@click.option("--create", is_flag=True, help="Create those that are missing.")
def topics(create: bool) -> None:
    """Show the topics that this deployment needs, and whether they are there."""
    from streamapp.tasks.registry import load_registry
    from streamapp.topics import provision, specs, survey

    settings = with_broker(load_settings())
    predictors = load_registry(settings.tasks, settings.only_tasks).predictors
    if create:
        there = asyncio.run(provision(settings.model_copy(update={"topic_create": True}), predictors))
    else:
        there = asyncio.run(survey(settings, predictors))
    for spec in specs(settings, predictors):
        partitions = f"{there[spec.name]} partitions" if spec.name in there else "missing"
        click.echo(f"{spec.name:<32} {partitions:<14} kept {spec.retention_ms // 86_400_000} days")
    if len(there) < len(specs(settings, predictors)):
        sys.exit(FAILED)


@cli.command(name="try")
@click.argument("task")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the task; repeatable.")
@click.option("--media-type", help="What FILE is.  [default: by its name]")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the plot.")
def try_task(task: str, file: Path, params: tuple[str, ...], media_type: str | None, plot: Path | None) -> None:
    """Run TASK on FILE in this process, without Kafka or a store."""
    from streamapp.trial import run_trial

    faulthandler.enable()  # a crash in native code would end it without a word
    trial = run_trial(load_settings(), task, file, params_of(params), media_type)
    report = trial.report
    click.echo(report.text)
    if trial.failed:
        click.echo(f"{trial.failed} of {trial.items} items failed; the first: {trial.first}", err=True)
    if plot is not None and report.plot is None:
        click.echo(f"Task {task} made no plot.", err=True)
    elif plot is not None and report.plot is not None:
        plot.write_bytes(report.plot.png)
        click.echo(f"plot: {plot}", err=True)
    if trial.failed and trial.failed == trial.items:
        sys.exit(FAILED)


cli.add_command(submit)
cli.add_command(job)
cli.add_command(jobs)
cli.add_command(audit)
cli.add_command(dead_letters)
cli.add_command(deliveries)
cli.add_command(backup)
cli.add_command(rewind)
cli.add_command(tenants)
cli.add_command(keys)
cli.add_command(webhooks)
cli.add_command(listen)
cli.add_command(doctor)


if __name__ == "__main__":
    main()
