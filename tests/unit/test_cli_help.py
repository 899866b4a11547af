"""`--help` helps: each command and each option says what it is for, on the terminal that everybody has."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from streamapp.cli import cli

WIDTH = 80


def every(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """The command, and all below it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from every(below, f"{path} {name}".strip())


COMMANDS = dict(every(cli, ""))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command(path: str) -> None:
    """I expect a sentence of its own, one for each option, and none that is cut off in the list of commands."""
    command = COMMANDS[path]
    ran = CliRunner().invoke(cli, [*path.split(), "--help"], terminal_width=WIDTH)
    assert ran.exit_code == 0
    assert command.help
    assert [each.name for each in command.params if isinstance(each, click.Option) and not each.help] == []
    listed = ran.output.partition("Commands:")[2]
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_submit_says_how_markdown_is_told() -> None:
    """I expect to learn that standard input needs its type: as plain text it would be worked on all the same."""
    said = CliRunner().invoke(cli, ["submit", "--help"], terminal_width=WIDTH).output
    assert "say --media-type text/markdown with it" in " ".join(said.split())


def test_the_order_of_the_commands() -> None:
    """I expect what a newcomer needs first."""
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=WIDTH).output.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()][:3] == ["up", "submit", "jobs"]


@pytest.mark.parametrize("option", ["--after", "--before"])
def test_a_time_that_is_none(option: str) -> None:
    """I expect the option and how a time is written."""
    ran = CliRunner().invoke(cli, ["jobs", option, "yesterday"])
    assert ran.exit_code == 2
    assert f"'{option}': 'yesterday' is no time: write it like 2026-01-31" in " ".join(ran.output.split())
