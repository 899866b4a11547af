"""What a run says at its end, and when it may end."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaos.evidence import settle
from chaos.judge import Verdict
from chaos.table import Result
from chaos.texts import Text
from chaos.ties import Comparison
from chaos.watch import Moves

SUMMARY: dict[str, Any] = {
    "subject": "Summary of it",
    "text": "One.",
    "html": "<p>One.</p>",
    "data": {
        "title": "it",
        "sentences": 9,
        "chapters": [{"heading": "I", "summary": [{"index": 3, "text": "One.", "tone": 0.1}]}],
        "arc": {"p": 0.5},
    },
}


def _result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "seed": 7,
        "rounds": 10,
        "seconds": 90.0,
        "posted": 2000,
        "states": {"succeeded": 2000},
        "mails": 1800,
        "notifications": 2000,
        "kills": dict(Counter({"worker": 60, "broker": 40})),
        "attacks": {},
        "left": {},
        "hits": {"mail.after": 3},
        "wanted": {"mail.after": 3, "mail.before": 3},
        "chunks": 3000,
        "again": 12,
        "longest": {"worker": [4.04, 11.0]},
        "verdict": Verdict(near_ties=["job order-9: sentences [3, 4] change places"]),
    }
    return Result(**(fields | changes))


def test_the_table_says_what_was_asked_for() -> None:
    """Kills, jobs, lost, repeated, chunks run again, points and recovery, in Markdown; near-ties below it."""
    text = _result().markdown()

    assert "| processes killed | 100: 40 broker, 60 worker |" in text
    assert "| **lost** | 0 |" in text
    assert "| fail points | 1 of 2, each 0 times or more |" in text
    assert "| longest recovery, worker killed | intake 4.0 s, results 11.0 s |" in text
    assert text.endswith("Near-ties:\n\n- job order-9: sentences [3, 4] change places\n")


@pytest.mark.parametrize(
    ("hits", "missed"),
    [
        ({"mail.after": 3, "mail.before": 4}, []),
        ({"mail.after": 3}, ["mail.before was hit 0 of 3 times"]),
        ({"mail.after": 2, "mail.before": 3}, ["mail.after was hit 2 of 3 times"]),
    ],
)
def test_a_point_that_was_not_hit_spoils_the_run(hits: dict[str, int], missed: list[str]) -> None:
    """A run that lost nothing has shown nothing about a crash that did not happen."""
    result = _result(hits=hits, verdict=Verdict())

    assert result.missed == missed
    assert result.good is not bool(missed)


def test_a_broken_promise_spoils_the_run() -> None:
    """Whatever was hit."""
    assert not _result(hits={"mail.after": 3, "mail.before": 3}, verdict=Verdict(lost=["job order-1"])).good


def test_the_result_is_written_as_json_too(tmp_path: Path) -> None:
    """Beside the table lies all of it."""
    _result(verdict=Verdict(lost=["job order-1"])).write(tmp_path / "new" / "chaos.md")

    assert json.loads((tmp_path / "new" / "chaos.json").read_text())["verdict"]["lost"] == ["job order-1"]


def test_equal_reports_are_the_same() -> None:
    """Nothing is to be said about them."""
    assert Comparison([])(SUMMARY, dict(SUMMARY), "excerpt-0") == ""


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("echo", {"text": "Two."}),  # nothing about an echo is near
        ("summarize", {"subject": "Summary of that"}),
        ("summarize", {"data": {**SUMMARY["data"], "sentences": 8}}),  # a chunk is missing
        ("summarize", {"data": {**SUMMARY["data"], "arc": {"p": 0.6}}}),
        ("summarize", {"data": {}}),
    ],
)
def test_what_is_no_near_tie(task: str, changes: dict[str, Any]) -> None:
    """Only which sentences stand for a text may differ; everything else is found without asking the model."""
    assert Comparison([Text("t", task, "One.", 1.0)])(SUMMARY, SUMMARY | changes, "t") is None


@dataclass
class _Still:
    """A deployment in which nothing moves."""

    moves: Moves


async def test_all_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is final and every delivery settled."""
    monkeypatch.setattr("chaos.evidence.AFTER_S", 0.0)

    assert await settle(_Still(Moves(2, 2, 9, 4, 4, 4, 1)), 1, 0.2, 5.0, lambda _: None)


@pytest.mark.parametrize(
    "moves",
    [Moves(2, 1, 9, 4, 4, 4, 1), Moves(2, 2, 9, 4, 3, 4, 1), Moves(2, 2, 9, 4, 4, 4, 0)],
    ids=["a job", "a delivery", "a dead letter"],
)
async def test_what_does_not_move_is_given_up(moves: Moves) -> None:
    """Something is left and stands still: that is waited for a bounded time."""
    assert not await settle(_Still(moves), 1, 0.2, 60.0, lambda _: None)


async def test_who_waits_on_purpose_is_waited_for() -> None:
    """A retry that is due later is no standstill, until the limit."""
    began = time.monotonic()

    assert not await settle(_Still(Moves(2, 2, 9, 4, 3, 4, 1, time.time() + 60)), 1, 0.1, 1.2, lambda _: None)
    assert time.monotonic() - began > 1.0
