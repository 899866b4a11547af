"""The command `streamapp doctor`: looks at all that a deployment stands on, says what to do, and changes nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click

from streamapp.cli_api import url_option
from streamapp.doctor.finding import Check, Checked, Finding, examine, problem, skipped
from streamapp.errors import ConfigurationError
from streamapp.settings import Settings, load_settings

__all__ = ["checks_of", "doctor"]

FAILED = 1
TIMEOUT_S = 15.0
MARKS = {"ok": "green", "warning": "yellow", "problem": "red", "skipped": "dim"}
NAMES = ("broker", "topics", "groups", "store", "smtp", "models", "disk", "clock", "api", "keys")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--load", is_flag=True, help="Load the models too, which takes a while.")
@click.option(
    "--timeout",
    default=TIMEOUT_S,
    show_default=True,
    type=click.FloatRange(1, 600),
    help="Seconds that a check may take.",
)
@url_option
def doctor(as_json: bool, load: bool, timeout: float, url: str | None) -> None:
    """Find out what is wrong, and say what to do.

    It looks at settings, broker, topics, groups, store, mail server, models, disks, clocks, API and keys, and changes
    nothing. The exit code is 0 when there is no problem, and else 1.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # what clients log is said as a finding
    checked = asyncio.run(examine(checks_of(load=load, timeout_s=timeout, url=url), timeout))
    verdicts = Counter(finding.verdict for each in checked for finding in each.findings)
    if as_json:
        body = {"ok": not verdicts["problem"], "checks": [each.model_dump() for each in checked]}
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        _show(checked, verdicts)
    sys.exit(FAILED if verdicts["problem"] else 0)


def checks_of(*, load: bool, timeout_s: float, url: str | None) -> list[Check]:
    """What there is to look at; little, where the settings can't be read."""
    from streamapp.doctor.versions import check_versions

    versions = Check("versions", check_versions)
    try:
        settings = load_settings()
    except ConfigurationError as error:
        wrong = problem(str(error), "Correct these variables; the others are looked at after that.")
        unread = skipped("Not looked at: the settings can't be read.")
        return [Check("settings", _saying(wrong)), *(Check(name, _saying(unread)) for name in NAMES), versions]
    return [*_checks(settings, load=load, timeout_s=timeout_s, url=url), versions]


def _checks(settings: Settings, *, load: bool, timeout_s: float, url: str | None) -> list[Check]:
    from streamapp.doctor import (
        api,
        broker,
        clock,
        configuration,
        disk,
        groups,
        keys,
        local,
        models,
        smtp,
        store,
        topics,
    )
    from streamapp.doctor.ground import Ground

    ground, base = Ground(settings, timeout_s), (url or settings.link_base).rstrip("/")
    runs: dict[str, Callable[[], Awaitable[Sequence[Finding]]]] = {
        "up": lambda: local.check_up(ground, base),
        "broker": lambda: local.unless_idle(ground, broker.check_broker),
        "topics": lambda: local.unless_idle(ground, topics.check_topics),
        "groups": lambda: local.unless_idle(ground, groups.check_groups),
        "store": lambda: store.check_store(ground),
        "smtp": lambda: smtp.check_smtp(ground) if settings.smtp_url else local.unless_idle(ground, smtp.check_smtp),
        "models": lambda: models.check_models(ground, load=load),
        "disk": lambda: disk.check_disk(ground),
        "clock": lambda: clock.check_clock(ground, base),
        "api": lambda: api.check_api(ground, base),
        "keys": lambda: keys.check_keys(ground),
    }
    longer = {"models": models.LOAD_S} if load else {}
    found = configuration.judged(os.environ)
    names = NAMES if settings.broker else ("up", *NAMES)
    return [Check("settings", _saying(*found)), *(Check(name, runs[name], longer.get(name)) for name in names)]


def _saying(*findings: Finding) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def run() -> Sequence[Finding]:
        return findings

    return run


def _show(checked: Sequence[Checked], verdicts: Counter[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for each in checked:
        for number, finding in enumerate(each.findings):
            said = Text(finding.said, overflow="fold")
            if finding.advice:
                said.append(f"\n→ {finding.advice}")
            table.add_row(each.name if number == 0 else "", Text(finding.verdict, MARKS[finding.verdict]), said)
    Console(highlight=False).print(table)
    counts = [f"{verdicts[name]} {name}" for name in MARKS if verdicts[name]]
    click.echo(f"\n{', '.join(counts)}")
