"""A tenant's limit on running jobs: who has room, who waits for it, and who is let in next."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from streamapp import cli_store, cli_tenants
from streamapp.cli import cli
from streamapp.identity import Run
from streamapp.settings import Settings
from streamapp.store import jobs as job_rows
from streamapp.store import outbox, rooms
from streamapp.store.chunks import begin_step
from streamapp.store.database import Database
from streamapp.store.schema import clock, jobs, tenants
from tests.unit.store.rows import put, reserved, row_of, rows_of, running, some_chunks


def with_room(database: Database, usual: int = 0) -> list[str]:
    """The jobs that the relay would publish now."""
    return [row.id for row in database.read_sync(outbox.unpublished_jobs, 0.0, 10, usual)]


def aged(database: Database, count: int, tenant: str = "anna") -> list[Run]:
    """Queued jobs, the oldest first."""
    runs = [reserved(database, tenant) for _ in range(count)]
    for age, run in enumerate(reversed(runs), 10):
        put(database, jobs, {"id": run.job}, created_at=clock() - age)
    return runs


@pytest.mark.parametrize(("usual", "own", "most"), [(0, None, 4), (2, None, 2), (2, 0, 4), (0, 3, 3), (5, 1, 1)])
def test_the_oldest_have_room(database: Database, usual: int, own: int | None, most: int) -> None:
    """I expect the settings' limit to hold unless the tenant has its own, and 0 to be none."""
    queued = aged(database, 4)
    put(database, tenants, {"tenant": "anna"}, running=own)
    assert with_room(database, usual) == [run.job for run in queued[:most]]
    assert [database.read_sync(rooms.has_room, run, usual) for run in queued] == [at < most for at in range(4)]


def test_a_running_job_takes_room_until_it_ends(database: Database) -> None:
    """I expect the next to be let in when one of the tenant's ends, and not for another tenant's end."""
    busy = [running(database) for _ in range(2)]
    other = running(database, tenant="ben")
    first, second = aged(database, 2)
    assert with_room(database, 2) == []
    database.write_sync(job_rows.end, other, "succeeded")
    assert database.read_sync(rooms.let_in, "anna", 2) == []
    database.write_sync(job_rows.end, busy[0], "cancelled")
    assert database.read_sync(rooms.let_in, "anna", 2) == [first]
    assert database.write_sync(begin_step, first, None, 0, some_chunks(1))
    assert not database.read_sync(rooms.has_room, second, 2)


def test_one_without_room_is_never_noted_as_published(database: Database) -> None:
    """I expect its row to stay unpublished whenever it is noted, so that nobody looks for its message."""
    first, second = aged(database, 2)
    database.write_sync(outbox.jobs_published, [first, second], [(0, 1), (0, 2)], 1)
    assert row_of(database, jobs, id=first.job).sent_offset == 1
    held = row_of(database, jobs, id=second.job)
    assert (held.published_at, held.sent_partition, held.sent_offset) == (None, None, None)
    assert with_room(database, 1) == []
    assert with_room(database, 2) == [second.job]
    database.write_sync(outbox.jobs_published, [second], [(0, 2)], 2)
    assert with_room(database, 2) == []
    database.write_sync(rooms.put_back, [first, second], 0)
    assert all(row.published_at is not None for row in rows_of(database, jobs)), "without a limit nothing is put back"


def test_one_tenant_s_limit_holds_up_no_other(database: Database) -> None:
    """I expect all of one tenant's jobs to be published beside those of one that may run none more."""
    aged(database, 3)
    others = aged(database, 3, "ben")
    running(database)
    put(database, tenants, {"tenant": "anna"}, running=1)
    assert with_room(database) == [run.job for run in others]


def test_the_operators_command(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect weight and limit to be set each by itself, before or after a tenant sends anything, and to be shown."""
    settings = Settings(database_url=database.url, tenant_running=7)
    for module in (cli_store, cli_tenants):
        monkeypatch.setattr(module, "load_settings", lambda: settings)
    say = CliRunner()

    def told(*words: str) -> str:
        result = say.invoke(cli, ["tenants", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert told("list") == "None.\n"
    assert "tenant ben is new" in told("set", "ben", "--weight", "2.5")
    running(database, tenant="ben")
    assert "weight 2.5  1 running of 7 at most  0 queued" in told("list")
    assert told("set", "ben", "--running", "3") == ""
    assert "weight 2.5  1 running of 3 at most" in told("list")
    told("set", "ben", "--running", "0", "--weight", "1")
    assert "weight 1  1 running of any number" in told("list")
    told("set", "ben", "--running", "usual")
    assert "of 7 at most" in told("list")
    for wrong in (["ben"], ["ben", "--running", "-1"], ["ben", "--running", "x"], ["ben", "--weight", "0"], ["x" * 65]):
        assert say.invoke(cli, ["tenants", "set", *wrong]).exit_code == 2
