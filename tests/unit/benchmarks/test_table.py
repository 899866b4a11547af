"""The table tells the truth: medians of pairs, bars held or not, every row in it, and nothing measured is forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figures import FIGURES, chosen, figures_of
from benchmarks.results import Results, cells, percentile
from benchmarks.rows import FAMILIES
from benchmarks.stage import Sample

RATIO = next(figure for figure in FIGURES if figure.id == "3")
MEMORY = next(figure for figure in FIGURES if figure.id == "9")
IDLE = next(figure for figure in FIGURES if figure.id == "11")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """None yet."""
    return Results(tmp_path / "results.json")


def test_every_row_is_measured_by_one_family() -> None:
    """A row that nobody measures would stay empty for ever."""
    measured = [name for family in FAMILIES for name in family.figures]
    assert sorted(measured) == sorted(figure.id for figure in FIGURES)


def test_all_rows_of_the_goal_are_there() -> None:
    """1, 1b and 2 to 11."""
    assert {figure.id.split()[0] for figure in FIGURES} == {"1", "1b", *map(str, range(2, 12))}


def test_the_first_bar_depends_on_the_hardware() -> None:
    """Without bfloat16 less is asked, of this row alone."""
    differ = [a.id for a, b in zip(figures_of(bf16=True), figures_of(bf16=False), strict=True) if a != b]
    assert differ == ["1"]


def test_what_is_judged() -> None:
    """A ratio, a difference, or the figure itself."""
    assert RATIO.value(8.0, 2.0) == 4.0
    assert MEMORY.value(900.0, 650.0) == 250.0
    assert IDLE.value(5.0, 0.0) == 5.0


@pytest.mark.parametrize(
    ("figure", "value", "holds"),
    [(RATIO, 4.0, True), (RATIO, 3.99, False), (MEMORY, 300.0, True), (MEMORY, 300.1, False)],
)
def test_a_bar_is_held_on_its_own_side(figure: object, value: float, holds: bool) -> None:
    """More is better for one, less for the other; at the bar is enough."""
    assert figure.holds(value) is holds  # type: ignore[attr-defined]


def test_rows_are_chosen_by_number_or_id() -> None:
    """A number means all its lines; nothing means everything; an unknown one is named."""
    assert chosen(["6", "1b"]) == {"6", "6 origin", "6 fifty", "1b"}
    assert chosen(["6 fifty"]) == {"6 fifty"}
    assert len(chosen([])) == len(FIGURES)
    with pytest.raises(ValueError, match="no row 12"):
        chosen(["12"])


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.95, 19),  # the nearest rank of 20 values
        (0.99, 20),
        (0.5, 10),
        (0.0, 1),
    ],
)
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    """The nearest rank, nothing between two values."""
    assert percentile([float(value) for value in range(20, 0, -1)], share) == expected


def test_the_median_of_pairs_is_judged_not_the_ratio_of_medians(results: Results) -> None:
    """A moment in which the machine was busy hits both of a pair, so it must not be torn apart."""
    results.begin(["3"], "now")
    for ours, other in ((400.0, 100.0), (50.0, 10.0), (800.0, 100.0)):
        results.add({"3": Sample(ours, other)})
    line = next(line for line in results.lines() if line["id"] == "3")
    assert (line["value"], line["lowest"], line["highest"]) == (5.0, 4.0, 8.0)
    assert (line["ours_median"], line["other_median"], line["holds"]) == (400.0, 100.0, True)


def test_rows_measured_earlier_are_kept(results: Results, tmp_path: Path) -> None:
    """Measuring one row again loses no other, and begins that one anew."""
    results.begin(["3", "11"], "yesterday")
    results.add({"3": Sample(1.0, 1.0), "11": Sample(2.0)})
    results.write()
    again = Results(tmp_path / "results.json")
    again.begin(["3"], "today")
    again.add({"3": Sample(9.0, 1.0)})
    again.write()
    measured = json.loads((tmp_path / "results.json").read_text())["measured"]
    assert measured["3"]["samples"] == [{"ours": 9.0, "other": 1.0}]
    assert (measured["11"]["at"], measured["11"]["samples"]) == ("yesterday", [{"ours": 2.0, "other": 0.0}])


def test_a_failed_row_does_not_hold(results: Results) -> None:
    """Even if the runs before it failed were good; and it is missing when there was none."""
    results.begin(["3", "11"], "now")
    results.add({"3": Sample(100.0, 1.0)})
    results.fail(["3", "11"], "TimeoutError: in vain")
    table = {line["id"]: cells(line) for line in results.lines()}
    assert table["3"][-1] == "no (TimeoutError: in vain)"
    assert (table["11"][4], table["11"][-1]) == ("TimeoutError: in vain", "no")
    assert results.missing(["3", "11"]) == ["11"]


def test_the_written_table_has_every_row(results: Results, tmp_path: Path) -> None:
    """Also those that were never measured, and says on what."""
    results.write()
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert all(f"| {figure.id} |" in text for figure in FIGURES)
    assert text.count("not measured") == len(FIGURES)
    assert "| cores |" in text
