"""Numbers and times as the pages say them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from streamapp.ui import words

NOON = datetime(2025, 5, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "less than a second"), (0.4, "less than a second"), (8, "8 s"), (60, "1 min"), (200, "3 min 20 s"),
     (3599.7, "1 h"), (7500, "2 h 5 min"), (273_700, "3 d 4 h")],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    """Two units at most, and never 60 of one."""
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (84_900, "84 kB"), (32 << 20, "33 MB"), (2_500_000_000, "2.5 GB")],
)
def test_sizes_never_overstate(number: int, said: str) -> None:
    """A size is rounded down: it is shown as a limit too."""
    assert words.size(number) == said


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server's own zone is nine hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("moment", [NOON, NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=-5)))])
def test_times_are_utc(moment: datetime) -> None:
    """Times carry their zone for the script, read well without it, and never depend on the server's zone."""
    assert words.utc(moment) == '<time datetime="2025-05-12T12:00:00+00:00">12 May 2025, 12:00 UTC</time>'
