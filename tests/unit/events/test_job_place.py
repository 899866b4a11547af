"""Whatever happens between the reads, a reader of a job is told each thing once, and progress goes forward."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.events.jobplace import JobPlace, Partial, is_over, news
from streamapp.store.feed import Followed
from streamapp.store.sql import AnyRow

ACTIONS = st.sampled_from(["move", "move", "step", "end", "settle", "settle", "retry", "partial"])
TURNS = st.lists(st.tuples(st.lists(ACTIONS, max_size=4), st.integers(0, 6)), max_size=25)


@dataclass
class Story:
    """A job as a store would have it, and what became of it, by run."""

    row: SimpleNamespace = field(default_factory=lambda: _row(1))
    deliveries: dict[str, SimpleNamespace] = field(default_factory=dict)
    partial: Partial | None = None
    numbers: int = 10
    ended: dict[int, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)

    def move(self) -> None:
        """An item more is through."""
        if self.row.status == "queued":
            self.row.status, self.row.total = "running", 3
        elif self.row.status == "running" and self.row.done < self.row.total:
            self.row.done += 1

    def step(self) -> None:
        """The next step begins."""
        if self.row.status == "running":
            self.row.step, self.row.total = self.row.step + 1, self.row.total + 2

    def end(self) -> None:
        """It ends, with two deliveries to come."""
        if self.row.status in ("queued", "running"):
            self.row.status = "succeeded" if self.row.status == "running" else "cancelled"
            self.row.done = self.row.total
            self.ended[self.row.run] = self.row.status
            for kind in ("email", "notification"):
                each = SimpleNamespace(id=f"{kind[0].encode().hex()}{self.row.run}", kind=kind, job="a", feed=None)
                self.deliveries[each.id] = each
                vars(each).update(recipient="r", state="pending", attempts=0, last_error=None, run=self.row.run)
                vars(each).update(next_attempt_at=None, sent_at=None)

    def settle(self) -> None:
        """An attempt at the first delivery under way fails once, then succeeds."""
        for each in self.deliveries.values():
            if each.state == "pending":
                each.attempts, each.feed, self.numbers = each.attempts + 1, self.numbers, self.numbers + 1
                if each.attempts == 2:
                    each.state = "sent"
                    self.sent.add(each.id)
                return

    def retry(self) -> None:
        """A job that has ended runs again."""
        if self.row.status == "cancelled":
            self.row = _row(self.row.run + 1)
            self.deliveries.clear()

    def partial_(self) -> None:
        """A partial report of what is through; two that follow each other may say the same."""
        if self.row.status == "running":
            done = self.row.done
            self.partial = Partial(self.row.run, self.row.step, done, f"{done // 2:012x}", b"%d" % done)

    def now(self) -> Followed:
        """What a look sees."""
        told = sorted((each for each in self.deliveries.values() if each.attempts), key=lambda each: int(each.feed))
        rows = tuple(cast(AnyRow, SimpleNamespace(**vars(each))) for each in told)
        to_come = any(each.state == "pending" for each in self.deliveries.values())
        return Followed(cast(AnyRow, SimpleNamespace(**vars(self.row))), rows, to_come)


def _row(run: int) -> SimpleNamespace:
    counts = {"step": 0, "done": 0, "total": 0, "error": None, "finished_at": 1.0}
    return SimpleNamespace(tenant="t", id="a", run=run, status="queued", **counts)


@given(TURNS)
def test_each_thing_is_told_once(turns: list[tuple[list[str], int]]) -> None:
    """Reads are cut off after any event, and go on from the last id: I expect no gap and no repeat."""
    story = Story()
    last = str(JobPlace())
    told: list[tuple[int, str, Any]] = []
    for actions, taken in [*turns, (["end", "settle", "settle", "settle", "settle"], 1000)]:
        for action in actions:
            getattr(story, "partial_" if action == "partial" else action)()
        for _, event in list(news(JobPlace.parse(last), story.now(), story.partial))[:taken]:
            told.append((story.row.run, event.name, json.loads(event.data)))
            last = event.id
    assert list(news(JobPlace.parse(last), story.now(), story.partial)) == []
    assert is_over(story.now())
    ends = [(run, data["status"]) for run, name, data in told if name == "done"]
    assert len(ends) == len(set(ends))
    assert (story.row.run, story.ended[story.row.run]) in ends
    outcomes = [(data["id"], data["attempts"]) for _, name, data in told if name == "delivery"]
    assert len(outcomes) == len(set(outcomes))
    assert {(each, 2) for each in story.deliveries} <= set(outcomes)
    moves = [
        (run, data["done"] + data["total"], data["status"] != "queued")
        for run, name, data in told
        if name == "progress"
    ]
    assert moves == sorted(set(moves))
    partials = [(run, data) for run, name, data in told if name == "partial"]
    assert partials == sorted(set(partials))
    assert [
        half for half in itertools.pairwise(partials) if half[0][0] == half[1][0] and half[0][1] // 2 == half[1][1] // 2
    ] == []


def test_a_power_cut_takes_nothing_back_from_a_reader() -> None:
    """The job stands where it stood before, and ends again: I expect the reader to hear of neither."""
    story = Story()
    for action in ("move", "move", "move", "end", "settle", "settle", "settle", "settle"):
        getattr(story, action)()
    *_, (place, _) = news(JobPlace(), story.now())
    before = Story()
    before.move()
    assert list(news(place, before.now())) == []
    assert list(news(place, story.now())) == []


def test_a_partial_report_that_says_the_same_is_not_told_again() -> None:
    """It is about one item more: I expect the next that says more to be told, and one that is older than that not."""
    story, place = Story(), JobPlace()
    told: list[tuple[str, bytes]] = []
    story.move()
    for done, digest in ((1, "aa"), (2, "aa"), (3, "bb"), (2, "aa")):
        for after, event in news(place, story.now(), Partial(1, 0, done, digest, b"%d" % done)):
            place = after
            told.append((event.name, event.data))
    assert [data for name, data in told if name == "partial"] == [b"1", b"3"]


@pytest.mark.parametrize(
    "text", ["", "1", "f1.3.2.z", "j1", "j1.1.0.-1.0..0..0.0", "j1.1.0.-2.0..0..0.0.", "j1.١.0.-1.0..0..0.0."]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """I expect ValueError, which the API turns into 422."""
    with pytest.raises(ValueError, match="no id"):
        JobPlace.parse(text)
