"""Fair by credits: none is lost or made, nobody starves, and shares follow the weights."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from streamapp.identity import Run
from streamapp.store import flights, joining
from streamapp.store import jobs as job_rows
from streamapp.store.chunks import begin_step
from streamapp.store.credits import Small
from streamapp.store.database import Database
from streamapp.store.schema import chunks, jobs, tenants
from streamapp.store.sql import AnyRow
from tests.unit.store.rows import fly, land, put, reserved, row_of, rows_of, running, some_chunks

CREDITS = 4


def flown(database: Database, rounds: int, at_a_time: int = 1, predictor: str = "model", full: int = 1) -> list[AnyRow]:
    """The chunks that got credits in that many rounds, each of which lands what it let fly."""
    taken: list[AnyRow] = []
    for _ in range(rounds):
        rows = fly(database, at_a_time, predictor, full=full)
        land(database, rows)
        taken.extend(rows)
    return taken


def test_only_free_credits_are_given(database: Database) -> None:
    """I expect as many chunks to fly as there are credits, and a result to free one."""
    running(database, chunks=10)
    first = fly(database, CREDITS)
    assert [row.chunk for row in first] == [0, 1, 2, 3]
    assert fly(database, CREDITS) == []
    land(database, first[:2])
    assert [row.chunk for row in fly(database, CREDITS)] == [4, 5]


def test_small_chunks_fly_beyond_the_credits(database: Database) -> None:
    """I expect as many as the room for small ones says, while they hold no more than its items."""
    running(database, chunks=30)
    assert len(fly(database, CREDITS, small=Small(10, 100))) == 10
    assert len(fly(database, CREDITS, small=Small(20, 25))) == 2, "12 of them hold 24 items"
    assert fly(database, CREDITS) == []


def test_a_full_chunk_keeps_its_turn(database: Database) -> None:
    """I expect no small chunk to slip by one that has no room beyond the credits, and the credits to be for any."""
    book = reserved(database)
    assert database.write_sync(begin_step, book, None, 0, some_chunks(10, size=64))
    assert len(fly(database, CREDITS, small=Small(64, 256))) == CREDITS
    short = running(database, chunks=1, tenant="aaron")
    land(database, rows_of(database, chunks, state="flying")[:1])
    assert [row.job for row in fly(database, CREDITS, small=Small(64, 256))] == [short.job]
    running(database, chunks=1, tenant="aaron")
    assert fly(database, CREDITS, small=Small(64, 256)) == [], "the book is next"
    land(database, rows_of(database, chunks, state="flying", job=short.job))
    assert [row.job for row in fly(database, CREDITS, small=Small(64, 256))] == [book.job]


def test_fewer_credits_take_nothing_back(database: Database) -> None:
    """I expect none to be given while more fly than there are credits now."""
    running(database, chunks=10)
    fly(database, 8)
    assert fly(database, 2) == []


def test_a_row_has_what_publishing_needs(database: Database) -> None:
    """I expect the chunk's items and its job's document with each."""
    running(database, chunks=1, deadline=4e9)
    (row,) = fly(database, 1)
    assert (row.document, row.media_type, row.document_size) == ("data:;base64,SGVsbG8=", "text/plain", 5)
    assert (row.deadline, row.payload) == (4e9, b"[{},{}]")
    assert row_of(database, chunks).state == "flying"


def test_what_is_past_its_deadline_does_not_fly(database: Database) -> None:
    """I expect no credit for a job whose deadline has passed, before the sweep has ended it too."""
    late, in_time = running(database, chunks=3, deadline=4e9), running(database, chunks=3, deadline=4e9)
    assert {row.job for row in fly(database, 2)} <= {late.job, in_time.job}
    put(database, jobs, {"id": late.job}, deadline=1.0)
    assert {row.job for row in fly(database, 2 * CREDITS)} == {in_time.job}
    assert row_of(database, jobs, id=late.job).waiting > 0


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_an_end_frees_the_credits(database: Database, status: str) -> None:
    """I expect the chunks of another job to fly as soon as the one that had all credits has ended."""
    book = running(database, chunks=10)
    fly(database, CREDITS)
    other = running(database, chunks=10)
    database.write_sync(job_rows.end, book, status)
    assert {row.job for row in fly(database, CREDITS)} == {other.job}


def test_predictors_have_credits_of_their_own(database: Database) -> None:
    """I expect a predictor whose worker hangs to hold up no other one, however many jobs wait for it."""
    for _ in range(flights.CANDIDATES + CREDITS):
        running(database, chunks=1, predictor="hangs")
    job = running(database, chunks=1, predictor="works")
    put(database, jobs, {"id": job.job}, served=1000.0)
    fly(database, CREDITS, "hangs")
    assert [row.job for row in fly(database, CREDITS, "works")] == [job.job]


def test_a_short_job_waits_for_a_batch_or_two(database: Database) -> None:
    """I expect three short jobs beside four books to have all their credits within a few rounds."""
    books = {running(database, chunks=200, tenant=name).job for name in ("anna", "ben", "carl", "dora")}
    flown(database, 30, CREDITS)
    short = {running(database, chunks=2, tenant=name).job for name in ("anna", "ben", "eve")}
    taken = flown(database, 5, CREDITS)
    assert Counter(row.job for row in taken if row.job in short) == Counter(dict.fromkeys(short, 2))
    assert {row.job for row in taken} & books


def test_priority_is_the_weight(database: Database) -> None:
    """I expect a job with one more priority to get twice the credits of its tenant's other one."""
    low = running(database, chunks=300, priority=0)
    high = running(database, chunks=300, priority=1)
    taken = Counter(row.job for row in flown(database, 90))
    assert taken[high.job] == pytest.approx(60, abs=2)
    assert taken[low.job] == pytest.approx(30, abs=2)


def test_tenants_share_by_weight_and_not_by_jobs(database: Database) -> None:
    """I expect a tenant with five books to get no more than one with one, and thrice that with weight three."""
    for _ in range(5):
        running(database, chunks=300, tenant="many")
    running(database, chunks=300, tenant="one")
    taken = Counter(row.tenant for row in flown(database, 60))
    assert taken["many"] == pytest.approx(30, abs=2)
    put(database, tenants, {"tenant": "one"}, weight=3.0)
    taken = Counter(row.tenant for row in flown(database, 60))
    assert taken["one"] == pytest.approx(45, abs=2)


def test_tenants_share_by_items_and_not_by_chunks(database: Database) -> None:
    """I expect a tenant with chunks of a quarter of a full one to get four for each that the other gets."""
    for tenant, items in (("books", 64), ("letters", 16)):
        assert database.write_sync(begin_step, reserved(database, tenant), None, 0, some_chunks(300, size=items))
    taken = Counter(row.tenant for row in flown(database, 40, full=64))
    assert taken["letters"] == pytest.approx(4 * taken["books"], abs=4)
    taken = Counter(row.tenant for row in flown(database, 60, full=8))
    assert taken["letters"] == pytest.approx(taken["books"], abs=2), "both are full and more"


def test_small_chunks_fly_at_once_up_to_a_full_one_s_items(database: Database) -> None:
    """I expect four of sixteen items beyond credits that are all given, none of more than half of a full one, and none
    out of turn.
    """
    for tenant in ("anna", "zoe"):
        assert database.write_sync(begin_step, reserved(database, tenant), None, 0, some_chunks(20, size=64))
    assert len(fly(database, CREDITS, full=64)) == CREDITS
    half = reserved(database, "half")
    assert database.write_sync(begin_step, half, None, 0, some_chunks(1, size=33))
    assert fly(database, CREDITS, full=64) == []
    database.write_sync(job_rows.end, half, "cancelled")
    short = [reserved(database, f"short-{number}") for number in range(6)]
    for run in short:
        assert database.write_sync(begin_step, run, None, 0, some_chunks(2, size=16))
    assert [row.job for row in fly(database, CREDITS, full=64)] == [run.job for run in short[:4]]
    land(database, rows_of(database, chunks, state="flying", size=16))
    assert [row.job for row in fly(database, CREDITS, full=64)] == [run.job for run in short[4:]], "a book is next"


def test_who_joins_level_is_before_who_was_there(database: Database) -> None:
    """I expect a short job's tenant to get the next credit, whatever its name, and not the tenant with the book."""
    running(database, chunks=10, tenant="anna")
    flown(database, 2)
    short = running(database, chunks=1, tenant="zoe")
    assert [row.job for row in fly(database, 1)] == [short.job]


def test_who_comes_back_owes_nothing(database: Database) -> None:
    """I expect a tenant that was served much while alone to share evenly with one that comes after a pause."""
    busy = running(database, chunks=100, tenant="busy")
    flown(database, 100)
    database.write_sync(job_rows.end, busy, "succeeded")
    running(database, chunks=100, tenant="new")
    flown(database, 10)
    running(database, chunks=100, tenant="busy")
    taken = Counter(row.tenant for row in flown(database, 40))
    assert taken["busy"] == pytest.approx(20, abs=2)


def test_who_pauses_saves_nothing_up(database: Database) -> None:
    """I expect a tenant that was away while another was served not to be let before it for all that time."""
    put_away = running(database, chunks=1, tenant="away")
    flown(database, 1)
    database.write_sync(job_rows.end, put_away, "succeeded")
    running(database, chunks=300, tenant="here")
    flown(database, 100)
    running(database, chunks=100, tenant="away")
    taken = Counter(row.tenant for row in flown(database, 40))
    assert taken["here"] == pytest.approx(20, abs=2)


def test_a_later_step_joins_level(database: Database) -> None:
    """I expect a job that was between its steps while another was served not to be let before it afterwards."""
    between = running(database, chunks=1)
    flown(database, 1)
    other = running(database, chunks=300)
    flown(database, 100)
    assert database.write_sync(begin_step, between, 0, 1, some_chunks(100))
    taken = Counter(row.job for row in flown(database, 40))
    assert taken[other.job] == pytest.approx(20, abs=2)


def test_a_stream_of_short_jobs_starves_no_book(database: Database) -> None:
    """I expect a tenant that sends one short job after another to get its share and not more."""
    for name in ("anna", "ben", "carl"):
        running(database, chunks=300, tenant=name)
    taken: Counter[str] = Counter()
    short = running(database, chunks=1, tenant="short")
    for _ in range(80):
        taken.update(row.tenant for row in flown(database, 1))
        if row_of(database, jobs, id=short.job).unfinished == 0:
            database.write_sync(job_rows.end, short, "succeeded")
            short = running(database, chunks=1, tenant="short")
    assert all(taken[name] == pytest.approx(20, abs=2) for name in ("anna", "ben", "carl", "short"))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from("ab"), st.integers(1, 6), st.integers(-3, 3)),
        st.tuples(st.just("credits"), st.integers(0, 8)),
        st.tuples(st.just("land"), st.integers(0, 5)),
        st.tuples(st.just("end"), st.integers(0, 5)),
    ),
    max_size=30,
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_no_credit_is_lost_or_made(database: Database, steps: list[tuple[object, ...]]) -> None:
    """I expect the flying never to exceed the credits, counts to match the rows, and everything to land in the end."""
    for job in rows_of(database, jobs):
        database.write_sync(job_rows.end, Run(job.tenant, job.id, job.run), "cancelled")
    flying: list[AnyRow] = []
    for step in steps:
        match step:
            case ("submit", str(tenant), int(count), int(priority)):
                running(database, count, f"tenant-{tenant}", priority=priority)
            case ("credits", int(number)):
                new = fly(database, number)
                assert not new or len(flying) + len(new) <= number
                flying += new
            case ("land", int(number)):
                land(database, flying[:number])
                del flying[:number]
            case ("end", int(number)):
                for row in flying[number : number + 1]:
                    database.write_sync(job_rows.end, Run(row.tenant, row.job, row.run), "cancelled")
                    flying = [each for each in flying if each.job != row.job]
        check(database, flying)
    flying += fly(database, 3)
    while flying:
        land(database, flying)
        flying = fly(database, 3)
    assert all(row.unfinished == 0 for row in rows_of(database, jobs, status="running"))


def check(database: Database, flying: list[AnyRow]) -> None:
    """The counts beside the jobs are those of the chunks' own rows."""
    assert len(rows_of(database, chunks, state="flying")) == len(flying)
    states = Counter((row.job, row.state) for row in rows_of(database, chunks))
    for job in rows_of(database, jobs, status="running"):
        assert job.waiting == states[job.id, "waiting"]
        assert job.unfinished == states[job.id, "waiting"] + states[job.id, "flying"]


def test_the_predictor_s_waiting_chunks_are_found_by_index(database: Database) -> None:
    """I expect no statement of the second-by-second work to scan the chunks, whose payloads are large."""
    if not database.sqlite:
        pytest.skip("the plan is SQLite's")
    seen: list[str] = []

    def plan(statement: str) -> None:
        rows = database.read_sync(lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all())
        seen.extend(str(row[3]) for row in rows)

    plan("SELECT count(*) FROM chunks WHERE predictor = 'm' AND state = 'flying'")
    plan("SELECT payload FROM chunks WHERE state = 'flying' AND published_at IS NULL AND flying_at < 1")
    plan(
        "SELECT * FROM chunks WHERE tenant = 't' AND job = 'j' AND run = 1 AND predictor = 'm' AND state = 'waiting' "
        "ORDER BY step, chunk LIMIT 1"
    )
    assert seen
    assert all("SEARCH chunks" in line for line in seen), seen


def test_where_a_job_joins_is_found_by_index(database: Database) -> None:
    """I expect no statement that each step of each job asks to read all that wait, or to sort them."""
    if not database.sqlite:
        pytest.skip("the plan is SQLite's")
    asked = {"of_tenant": "anna", "of_job": "j", "of_run": 1, "predictors": ["model"]}
    seen: list[str] = []

    def plan(connection: Connection) -> None:
        spelled = joining.PLACE._in_sqlite(connection, asked)
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {spelled.sql}", tuple(spelled._values(asked)))
        seen.extend(str(row[3]) for row in rows)

    database.read_sync(plan)
    assert sum("SEARCH jobs USING INDEX jobs_waiting (" in line for line in seen) == 2, seen
    assert sum("SEARCH jobs USING INDEX jobs_served (" in line for line in seen) == 2, seen
    assert not [line for line in seen if "SCAN jobs" in line or "SCAN chunks" in line or "TEMP B-TREE" in line], seen


def test_nothing_waits_and_nothing_flies(database: Database) -> None:
    """I expect no chunks for a predictor that nobody asked anything of."""
    reserved(database)
    assert fly(database, CREDITS) == []
