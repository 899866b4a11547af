"""What runs in the workshop: from a document to chunks, and from results to the next step or the report."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from streamapp.errors import BadDocument, StoreUnavailable, TaskFailed
from streamapp.jobs import packing, taskwork
from streamapp.jobs.packing import Row
from streamapp.jobs.taskwork import Assignment, Begun
from streamapp.settings import Settings
from streamapp.store.newchunk import NewChunk
from streamapp.tasks.contract import Report, Result
from tests.unit.jobs.task_fixtures import Alone, First, Length, Letters, Number, Vowels

HERE = "tests.unit.jobs.task_fixtures"


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as the workshop's, with small chunks."""
    tasks = tuple(f"{HERE}:{name}" for name in ("TwoSteps", "NoModel", "NoReport"))
    monkeypatch.setattr(taskwork, "_desk", None)
    names = ("two-steps", "no-model", "no-report")
    taskwork.open_desk(Settings(home=tmp_path, tasks=tasks, only_tasks=names, chunk_items=4, chunk_bytes=256))


def assignment(text: str = "abcdefghij", task: str = "two-steps", **params: Any) -> Assignment:
    """A job on this text."""
    document = "data:;base64," + base64.b64encode(text.encode()).decode()
    return Assignment(task, json.dumps(params), document, "text/plain", len(text))


def begun(job: Assignment) -> Begun:
    """The first step."""
    outcome = taskwork.begin(job)
    assert isinstance(outcome, Begun)
    return outcome


def rows(chunks: list[NewChunk], outcome: dict[str, Any] | None = None) -> list[Row]:
    """A stored result for each chunk, in the store's order."""
    each = outcome or {"out": {"value": 1}}
    packed = [Row(c.predictor, c.chunk, c.items, json.dumps([each] * c.size).encode()) for c in chunks]
    return sorted(packed, key=lambda row: (row.chunk, row.predictor))


def test_the_same_document_gives_the_same_chunks() -> None:
    """I expect splitting to be repeatable, byte for byte."""
    job = assignment("the quick brown fox " * 40)
    assert begun(job) == begun(job)


def test_chunks_are_bounded() -> None:
    """I expect no more items and bytes in a chunk than the settings say, and no item lost or out of order."""
    text = "".join(chr(97 + number % 26) for number in range(300))
    for size in (3, 100):
        chunks = [c for c in begun(assignment(text, size=size)).chunks if c.predictor == "length"]
        assert all(c.size <= 4 and len(c.items) <= 256 + c.size + 1 for c in chunks)
        assert [c.size for c in chunks] == [len(json.loads(c.items)) for c in chunks]
        assert [c.chunk for c in chunks] == list(range(len(chunks)))
        assert "".join(item["text"] for c in chunks for item in json.loads(c.items)) == text


def test_no_more_items_travel_together_than_every_predictor_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the least of what the step's predictors and the settings allow."""
    monkeypatch.setattr(Length, "chunk_items", 3)
    chunks = begun(assignment("abcdefghij", size=1)).chunks
    assert [c.size for c in chunks if c.predictor == "vowels"] == [3, 3, 3, 1]
    monkeypatch.setattr(Vowels, "chunk_items", 2)
    assert [c.size for c in begun(assignment("abcdefghij", size=1)).chunks if c.predictor == "length"] == [2] * 5


def test_what_is_too_much_to_travel_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the job to fail with the bound in words, before more items than that are made."""
    made: list[int] = []

    def endless(source: Any, params: Any) -> Iterator[Letters]:
        for number in itertools.count():
            made.append(number)
            yield Letters(text="x" * 1000)

    monkeypatch.setattr(First, "split", lambda _, source, params: endless(source, params))
    monkeypatch.setattr(packing, "MOST_ITEMS", 1 << 20)
    with pytest.raises(TaskFailed, match="more than 1 MiB"):
        taskwork.begin(assignment())
    assert len(made) < 1100


def test_chunks_know_what_their_results_depend_on(tmp_path: Path) -> None:
    """I expect a digest each where the document's hash is known, the same again, and none without memory."""
    job = dataclasses.replace(assignment("the quick brown fox"), content_hash="one")
    digests = [chunk.digest for chunk in begun(job).chunks]
    assert None not in digests
    assert {chunk.version for chunk in begun(job).chunks} == {"1"}
    assert digests == [chunk.digest for chunk in begun(job).chunks]
    assert set(digests).isdisjoint(chunk.digest for chunk in begun(dataclasses.replace(job, content_hash="2")).chunks)
    assert {chunk.digest for chunk in begun(assignment("the quick brown fox")).chunks} == {None}
    after = taskwork.advance(job, 0, rows(begun(job).chunks))
    assert isinstance(after, Begun)
    assert None not in [chunk.digest for chunk in after.chunks]
    taskwork.open_desk(Settings(home=tmp_path, tasks=(f"{HERE}:TwoSteps",), only_tasks=("two-steps",), memory_mb=0))
    assert {chunk.digest for chunk in begun(job).chunks} == {None}
    assert {chunk.version for chunk in begun(job).chunks} == {"1"}


def test_one_item_may_be_larger_than_a_chunk() -> None:
    """I expect it to travel alone, up to what a message holds, and to fail the job beyond that."""
    chunks = begun(assignment("x" * 1000, size=600)).chunks
    assert [c.size for c in chunks] == [1, 1, 1, 1]
    with pytest.raises(TaskFailed, match="too large to travel"):
        taskwork.begin(assignment("x" * 600_000, size=600_000))


def test_several_predictors_see_the_same_items() -> None:
    """I expect each chunk once for each predictor."""
    chunks = begun(assignment()).chunks
    assert [(c.predictor, c.chunk) for c in chunks] == [("length", 0), ("vowels", 0)]
    assert chunks[0].items == chunks[1].items


def test_from_step_to_step_to_the_report() -> None:
    """I expect the value of a step to be split into the next one's chunks, and the last value to be the report."""
    job = assignment()
    first = begun(job)
    second = taskwork.advance(job, 0, rows(first.chunks))
    assert isinstance(second, Begun)
    assert second.step == 1
    assert sum(c.size for c in second.chunks) == 8
    report = taskwork.advance(job, 1, rows(second.chunks))
    assert isinstance(report, Report)
    assert report.data == {"count": 8}


def test_a_step_without_items_is_passed() -> None:
    """I expect a second step that has nothing for a model to lead straight to the report."""
    job = assignment()
    report = taskwork.advance(job, 0, rows(begun(job).chunks, {"out": {"value": 0}}))
    assert isinstance(report, Report)
    assert report.data == {"count": 0}


def test_a_task_without_models() -> None:
    """I expect its report at once, from its items in order."""
    report = taskwork.begin(assignment(task="no-model"))
    assert isinstance(report, Report)
    assert report.text == "ab"


def test_results_come_in_split_order() -> None:
    """I expect each item beside its own outcomes, predictor by predictor, over many chunks."""
    job = assignment("".join(f"{number:03}" for number in range(50)))
    chunks = begun(job).chunks
    packed = []
    for c in sorted(chunks, key=lambda c: (c.chunk, c.predictor)):
        sign = 1 if c.predictor == "length" else -1
        outcomes = [{"out": {"value": sign * int(item["text"])}} for item in json.loads(c.items)]
        packed.append(Row(c.predictor, c.chunk, c.items, json.dumps(outcomes).encode()))
    results = list(packing.results_of(taskwork._desk.registry["two-steps"].steps[0], packed))  # type: ignore[union-attr]
    assert [result.item.text for result in results] == [f"{number:03}" for number in range(50)]
    values = [(result.of(Length).value, result.of(Vowels).value) for result in results]
    assert values == [(number, -number) for number in range(50)]


def test_an_item_error_may_be_tolerated() -> None:
    """I expect a reduce that looks at the outcomes to go on, and one that needs them all to fail the job."""
    failed = {"error": "too long"}
    job = assignment()
    assert isinstance(taskwork.advance(job, 0, rows(begun(job).chunks, failed)), Report)
    with pytest.raises(TaskFailed, match="an item failed for good: too long"):
        taskwork.advance(assignment(fail="strict"), 0, rows(begun(job).chunks, failed))


@pytest.mark.parametrize(
    ("fail", "error", "reason"),
    [
        ("bug split", TaskFailed, "ZeroDivisionError: oh"),
        ("document split", BadDocument, "no text"),
        ("away split", StoreUnavailable, "away"),  # tried again, and no verdict on the job
        ("item split", TaskFailed, "a bad one"),
    ],
)
def test_a_split_that_fails(fail: str, error: type[Exception], reason: str) -> None:
    """I expect the task's mistakes to fail the job for good, and what passes to be tried again."""
    with pytest.raises(error, match=reason):
        taskwork.begin(assignment(fail=fail))


def test_a_split_that_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect one that forgot to yield to be named."""
    monkeypatch.setattr(First, "split", lambda *_: None)
    with pytest.raises(TaskFailed, match="split of First gave NoneType, and has to yield items"):
        taskwork.begin(assignment())


@pytest.mark.parametrize(
    ("fail", "error", "reason"),
    [
        ("bug reduce", TaskFailed, "ZeroDivisionError: oh"),
        ("away reduce", StoreUnavailable, "away"),
        ("item reduce", TaskFailed, "a bad one"),
    ],
)
def test_a_reduce_that_fails(fail: str, error: type[Exception], reason: str) -> None:
    """I expect the same of reduce."""
    with pytest.raises(error, match=reason):
        taskwork.advance(assignment(fail=fail), 0, rows(begun(assignment()).chunks))


@pytest.mark.parametrize(
    ("fail", "said"),
    [("nul", "NUL characters"), ("surrogate", "surrogates"), ("nan", "Report.data is no JSON: ValueErr")],
)
def test_a_report_that_can_t_be_stored(fail: str, said: str) -> None:
    """I expect the job to fail with a reason, and not to be reduced again and again because storing it raises."""
    job = assignment(fail=fail)
    none = rows(begun(job).chunks, {"out": {"value": 0}})
    with pytest.raises(TaskFailed, match=said):
        taskwork.advance(job, 0, none)


@pytest.mark.parametrize("outcomes", [b"[]", b"[{}]", b'[{"out": {"value": "x"}}]', b"no json", b'{"a": 1}'])
def test_results_that_make_no_sense(outcomes: bytes) -> None:
    """I expect outcomes of another shape or number to fail the job with a reason."""
    job = assignment("abc")
    broken = [Row(c.predictor, c.chunk, c.items, outcomes) for c in begun(job).chunks]
    with pytest.raises(TaskFailed):
        taskwork.advance(job, 0, broken)


def test_what_is_wrong_with_the_job_itself() -> None:
    """I expect a task that is gone, params of an older version, and a last value that is no report to fail the job."""
    with pytest.raises(TaskFailed, match="no task 'gone'"):
        taskwork.begin(assignment(task="gone"))
    with pytest.raises(TaskFailed, match="ValidationError"):
        taskwork.begin(assignment(unknown=1))
    job = assignment(task="no-report")
    with pytest.raises(TaskFailed, match="gave Number, not a Report"):
        taskwork.advance(job, 0, rows(begun(job).chunks))


class Pair(Number):
    """Another model than the step's Item."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Pair(value=1), "the task's own code is wrong: split of First yielded Pair, and its Item is Letters"),
        ("abc", "the task's own code is wrong: split of First yielded str, and its Item is Letters"),
        (None, "the task's own code is wrong: split of First yielded NoneType, and its Item is Letters"),
    ],
)
def test_items_of_another_kind(monkeypatch: pytest.MonkeyPatch, given: Any, said: str) -> None:
    """I expect the step, what it yielded and what it said that it would, and nothing else."""
    monkeypatch.setattr(First, "split", lambda *_: [Letters(text="a"), given])
    with pytest.raises(TaskFailed) as failed:
        taskwork.begin(assignment())
    assert str(failed.value) == said


def test_items_of_a_kind_of_that_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a subclass to be an item, and what a step without a model yields to be its own affair."""
    more = type("More", (Letters,), {})
    monkeypatch.setattr(First, "split", lambda *_: [more(text="a")])
    assert begun(assignment()).chunks
    monkeypatch.setattr(Alone, "split", lambda *_: [Pair(value=1), "b"])
    monkeypatch.setattr(Alone, "reduce", lambda _, results, params: Report(subject="n", text=str(len(list(results)))))
    report = taskwork.begin(assignment(task="no-model"))
    assert isinstance(report, Report)
    assert report.text == "2"


def test_stored_results_of_another_form() -> None:
    """I expect whose they are and what is wrong in a line, not what pydantic says of each, nor what is in them."""
    job = assignment("secret " * 300)
    with pytest.raises(TaskFailed) as failed:
        taskwork.advance(job, 0, rows(begun(job).chunks, {"out": {"worth": "secret"}}))
    assert str(failed.value) == (
        "the task's own code is wrong: what predictor length gave can't be read as its Out, Number: value: Field "
        "required; its version must change when its Out does"
    )
    items = json.dumps([{"letters": "secret"}] * 1000).encode()
    broken = [Row(each.predictor, each.chunk, items, b"[]") for each in begun(job).chunks]
    with pytest.raises(TaskFailed) as failed:
        taskwork.advance(job, 0, broken)
    assert str(failed.value) == (
        "the task's own code is wrong: what split of First yielded can't be read again as its Item, Letters: 0.text: "
        "Field required, and 999 more"
    )


def test_what_the_task_raises_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect one line, of pydantic's errors the first without its URL, and no megabytes for an e-mail."""

    def raises(*_: object) -> None:
        TypeAdapter(list[Letters]).validate_python([{"txt": "secret"}] * 5000)

    monkeypatch.setattr(First, "split", raises)
    with pytest.raises(TaskFailed) as failed:
        taskwork.begin(assignment())
    assert str(failed.value) == (
        "the task's own code raised ValidationError: list[Letters]: 0.text: Field required, and 4999 more"
    )

    def shouts(*_: object) -> None:
        raise ValueError("line\n" * 100_000)

    monkeypatch.setattr(First, "split", shouts)
    with pytest.raises(TaskFailed, match=r"own code raised ValueError: line line .{400,}…$") as failed:
        taskwork.begin(assignment())
    assert len(str(failed.value)) < 600


def test_a_predictor_of_another_step() -> None:
    """I expect the step's own ones to be named."""
    with pytest.raises(LookupError) as failed:
        Result(Letters(text="a"), {"length": Number(value=1)}).of(Vowels)
    assert str(failed.value) == "vowels is no predictor of this step, which has length"


def test_a_document_that_is_gone() -> None:
    """I expect a missing blob to be said in words."""
    job = Assignment("two-steps", "{}", "blob:documents/none", "text/plain", 1)
    with pytest.raises(BadDocument, match="no longer there"):
        taskwork.begin(job)


def test_what_there_is_so_far_has_no_gap() -> None:
    """I expect the task to see the results from the first on, as far as each predictor's are there, and no further."""
    chunks = begun(assignment("the quick brown fox " * 20, task="two-steps")).chunks
    stored = rows(chunks)
    last = max(row.chunk for row in stored)
    assert last >= 4

    def seen(*missing: tuple[str, int]) -> int:
        left = [row for row in stored if (row.predictor, row.chunk) not in missing]
        report = taskwork.partial(assignment(), 0, left)
        assert report is not None
        return int(report.text)

    items = {row.chunk: len(json.loads(row.items)) for row in stored}
    assert seen() == sum(items.values())
    assert seen(("vowels", 3)) == sum(items[number] for number in range(3))
    assert seen(("vowels", 2), ("length", 2)) == items[0] + items[1]


def test_a_step_that_makes_nothing_of_what_there_is() -> None:
    """I expect none, and what its code raises to be named."""
    chunks = begun(assignment(text="abcdef", task="no-report")).chunks
    assert taskwork.partial(assignment(fail="nothing partial"), 0, rows(chunks)) is None
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        taskwork.partial(assignment(fail="bug partial"), 0, rows(chunks))
