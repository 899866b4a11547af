"""When to try again."""

from __future__ import annotations

import pytest

from streamapp.retry import Backoff, delay_s


@pytest.mark.parametrize(
    ("attempt", "jitter", "expected"),
    [
        (1, 0.0, 1.0),  # the first failure waits the first delay
        (2, 0.0, 2.0),  # then it doubles
        (3, 0.0, 4.0),
        (6, 0.0, 32.0),
        (7, 0.0, 60.0),  # up to the longest
        (100, 0.0, 60.0),
        (10**9, 0.0, 60.0),  # without overflow
        (1, 1.0, 0.5),  # jitter takes away up to half
        (3, 0.5, 3.0),
        (100, 1.0, 30.0),  # of the longest too
    ],
)
def test_delays(attempt: int, jitter: float, expected: float) -> None:
    """I expect doubling, bounded, less up to half."""
    assert delay_s(attempt, first_s=1.0, longest_s=60.0, jitter=jitter) == expected


def test_jitter_is_drawn() -> None:
    """I expect what failed together to come back at different times, none of them under half."""
    delays = [delay_s(1, first_s=1.0, longest_s=60.0) for _ in range(200)]
    assert len(set(delays)) > 100
    assert min(delays) >= 0.5
    assert max(delays) <= 1.0


async def test_a_backoff_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect each wait to be that of one more attempt."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("streamapp.retry.asyncio.sleep", sleep)
    monkeypatch.setattr("streamapp.retry.random.random", lambda: 0.0)
    backoff = Backoff(0.1, 0.5)
    for _ in range(5):
        await backoff.wait()
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert backoff.attempts == 5
