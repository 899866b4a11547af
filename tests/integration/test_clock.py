"""A clock that jumps back an hour, and then right again, stops no work, loses nothing and mails nothing twice.

The processes see the clock through libfaketime (Debian's package `faketime`): the test writes into a file what they are
to believe. Durations stay true, as they do when an operator or NTP sets a machine's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamapp.testing.deployment import Deployment, until

IN_TIME_S = 120.0  # on a busy machine, and not an hour
HOURS = {"right": "+0", "one back": "-1h", "two back": "-2h"}


class Clock:
    """What the deployment's processes take for the time."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set("right")

    def set(self, hours: str) -> None:
        """Jump."""
        draft = self._file.with_suffix(".new")
        draft.write_text(HOURS[hours] + "\n")
        draft.replace(self._file)

    def environment(self) -> dict[str, str]:
        """What makes a process see it."""
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            pytest.skip("libfaketime is not installed (apt-get install faketime)")
        return {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that is right."""
    return Clock(tmp_path)


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """Where crashes are asked for."""
    folder = tmp_path / "faults"
    folder.mkdir()
    return folder


@pytest.fixture
def jumping(broker: str, tmp_path: Path, clock: Clock, faults: Path) -> Iterator[Deployment]:
    """A deployment that lives by that clock, and dies where it is told to."""
    settings = {
        "STREAMAPP_ONLY_TASKS": '["echo"]',
        "STREAMAPP_DEFAULT_TASK": "echo",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_FAULTS": str(faults),
        **clock.environment(),
    }
    with Deployment(broker, tmp_path / "deployment", settings) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_work_goes_on_when_the_clock_is_set_back(jumping: Deployment, clock: Clock, faults: Path) -> None:
    """What a crash left unpublished an hour ahead goes out in time; so does new work; each e-mail comes once."""
    jobs = [_submit(jumping, "before")]
    jumping.finished(jobs[0])
    (faults / f"send.before.{jumping.prefix}email").touch()
    jobs.append(_submit(jumping, "mail"))
    _crashed(jumping)

    clock.set("one back")
    jumping.start()
    assert jumping.finished(jobs[1], IN_TIME_S)["status"] == "succeeded"
    jumping.mails(2, IN_TIME_S)

    (faults / f"send.before.{jumping.prefix}inference").touch()
    jobs.append(_submit(jumping, "job"))
    _crashed(jumping)
    clock.set("two back")
    jumping.start()
    assert jumping.finished(jobs[2], IN_TIME_S)["status"] == "succeeded"
    jumping.mails(3, IN_TIME_S)

    for jump in ("right", "one back", "right"):
        clock.set(jump)
        jobs.append(_submit(jumping, f"{jump} {len(jobs)}"))
        assert jumping.finished(jobs[-1], IN_TIME_S)["status"] == "succeeded"
    _each_mailed_once(jumping, len(jobs))
    until(jumping.ready, IN_TIME_S, "the worker to be ready")  # a beat, and the answer to it, by the new clock


def _submit(deployment: Deployment, name: str) -> str:
    """A job with an e-mail; the clock may have jumped a moment ago, so the service is asked until it accepts."""

    def accepted() -> str | None:
        answer = deployment.http.post("/v1/jobs", json={"task": "echo", "text": name, "email": "r@localhost"})
        assert answer.status_code in (202, 503), answer.text
        return str(answer.json()["id"]) if answer.status_code == 202 else None

    return until(accepted, IN_TIME_S, f"job {name} to be accepted")


def _crashed(deployment: Deployment) -> None:
    """The fail point is passed."""
    until(lambda: not deployment.workers("streamapp"), 20, "the crash that is due")
    deployment.stop()


def _each_mailed_once(deployment: Deployment, count: int) -> None:
    found = Counter(str(mail["Message-ID"]) for mail in deployment.mails(count, IN_TIME_S))
    assert len(found) == count
    assert set(found.values()) == {1}
