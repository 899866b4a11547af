"""A tenant that is paused: its jobs wait and get no more credits, nobody else notices, and then it goes on."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from streamapp import cli_store, cli_tenants
from streamapp.cli import cli
from streamapp.settings import Settings
from streamapp.store import keys, outbox, rooms
from streamapp.store.database import Database
from streamapp.store.schema import jobs
from tests.unit.store.rows import fly, reserved, row_of, running


@pytest.mark.parametrize("usual", [0, 5])
def test_queued_jobs_wait(database: Database, usual: int) -> None:
    """I expect them to have no room, not to be noted as published, and to be published when it goes on."""
    run, other = reserved(database), reserved(database, "bert")
    database.write_sync(rooms.pause, "anna", True)

    assert not database.read_sync(rooms.has_room, run, usual)
    assert database.read_sync(rooms.has_room, other, usual)
    assert database.read_sync(rooms.let_in, "anna", usual) == []
    database.write_sync(outbox.jobs_published, [run, other], [(0, 1), (0, 2)], usual)
    assert row_of(database, jobs, id=run.job).published_at is None
    assert row_of(database, jobs, id=other.job).published_at is not None
    assert database.read_sync(outbox.unpublished_jobs, 0.0, 10, usual) == []

    database.write_sync(rooms.pause, "anna", False)
    assert database.read_sync(rooms.has_room, run, usual)
    assert [row.id for row in database.read_sync(outbox.unpublished_jobs, 0.0, 10, usual)] == [run.job]


def test_running_jobs_get_no_more_credits(database: Database) -> None:
    """I expect the next credits to go to others, or to nobody, and to it again when it goes on."""
    mine, other = running(database, 4), running(database, 2, "bert")
    assert len(fly(database, 2)) == 2
    database.write_sync(rooms.pause, "anna", True)

    flown = fly(database, 6)
    assert {row.tenant for row in flown} <= {"bert"}
    assert row_of(database, jobs, id=other.job).waiting == 0
    assert row_of(database, jobs, id=mine.job).waiting == 3

    database.write_sync(rooms.pause, "anna", False)
    assert [row.tenant for row in fly(database, 6)] == ["anna"] * 3


def test_who_is_paused(database: Database) -> None:
    """I expect it to be known of tenants that have sent nothing yet, too."""
    assert database.read_sync(rooms.paused) == frozenset()
    database.write_sync(rooms.pause, "new", True)
    assert database.read_sync(rooms.paused) == {"new"}


def command_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command, on that store."""
    for module in (cli_store, cli_tenants):
        monkeypatch.setattr(module, "load_settings", lambda: Settings(database_url=database.url))
    return CliRunner()


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_nobody_is_not_paused(database: Database, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """I expect a name that is no tenant's to be refused with those that there are, and to leave no row."""
    say = command_on(database, monkeypatch)
    reserved(database)
    database.write_sync(keys.create, keys.NewKey("bert", "laptop", {"read"}))
    assert say.invoke(cli, ["tenants", "set", "carl", "--weight", "2"]).exit_code == 0

    result = say.invoke(cli, ["tenants", what, "nobody"])
    assert result.exit_code == 1
    assert "There is no tenant nobody" in result.output
    assert result.output.endswith("there are: anna, bert, carl, default.\n")
    assert "nobody" not in say.invoke(cli, ["tenants", "list"]).output
    for name in ("anna", "bert", "carl", "default"):
        assert say.invoke(cli, ["tenants", what, name]).exit_code == 0, name


def test_the_command(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect `pause` and `resume` to do it, and `list` to say it."""
    say = command_on(database, monkeypatch)
    reserved(database)
    assert say.invoke(cli, ["tenants", "pause", "anna"]).exit_code == 0
    assert say.invoke(cli, ["tenants", "list"]).output.endswith("1 queued  paused\n")
    assert say.invoke(cli, ["tenants", "resume", "anna"]).exit_code == 0
    assert say.invoke(cli, ["tenants", "list"]).output.endswith("1 queued\n")
    assert say.invoke(cli, ["tenants", "pause", "x" * 65]).exit_code == 2
