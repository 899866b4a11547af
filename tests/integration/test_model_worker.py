"""An item that ends the model worker, or a predictor that is broken: found, said, and nobody else's job is harmed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from streamapp.doctor.api import check_api
from streamapp.doctor.ground import Ground
from streamapp.settings import Settings
from streamapp.testing.deployment import Deployment, until

DEATHS = 5
DEATHS_OF_A_RUN = 1 + 3 * 3 + 1  # together, then three items alone, and one that chance adds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the breaking task leaves its traces."""
    made = tmp_path_factory.mktemp("breaking")
    (made / "batches").touch()
    return made


@pytest.fixture(scope="module")
def breaking(broker: str, folder: Path) -> Iterator[Deployment]:
    """A running worker with the tasks `breaking` and `echo`, and one model worker."""
    with Deployment(broker, folder, _settings(folder)) as running:
        yield running


def _settings(folder: Path) -> dict[str, str]:
    return {
        "STREAMAPP_TASKS": "breaking_task:Breaking",
        "STREAMAPP_ONLY_TASKS": "breaking,echo",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_JOB_TIMEOUT_S": "300",
        "PYTHONPATH": str(Path(__file__).parent),
        "BREAKING": str(folder),
    }


def _deaths(deployment: Deployment) -> int:
    return len(re.findall(r"model worker 0 ended", deployment.log.read_text()))


def _submit(deployment: Deployment, *lines: str, tolerant: bool = False, email: str | None = None) -> str:
    body = {"task": "breaking", "text": "\n".join(lines), "params": {"tolerant": tolerant}}
    return deployment.submit({**body, **({"email": email} if email else {})})


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("culprit", "tolerant", "why"),
    [
        ("kill", False, "the process died"),
        ("hang", True, "did not end within its 6 s"),
        ("hang-prepare", False, "prepare of predictor breaking did not end"),
    ],
)
def test_an_item_that_ends_the_worker_each_time(
    breaking: Deployment, folder: Path, culprit: str, tolerant: bool, why: str
) -> None:
    """Its job fails with the reason, or goes on without it; the jobs in the same batch succeed; few workers die."""
    before = _deaths(breaking)
    others = [_submit(breaking, f"plug-{culprit} 7")]
    until(lambda: f"plug-{culprit}" in (folder / "batches").read_text(), 30, "the model to be busy")
    guilty = _submit(breaking, "fine", f"{culprit} it", "fine too", tolerant=tolerant, email=f"{culprit}@localhost")
    others += [_submit(breaking, f"beside-{culprit}", "and again") for _ in range(2)]

    assert [breaking.finished(job, 150)["status"] for job in others] == ["succeeded"] * 3
    job = breaking.finished(guilty, 150)
    if tolerant:
        assert job["status"] == "succeeded", job["error"]
        first, reason, last = job["report"]["text"].splitlines()
        assert (first, last) == ("fine", "fine too")
    else:
        assert job["status"] == "failed"
        reason = job["error"]
    assert "the model ended 3 times" in reason
    assert why in reason
    assert 3 <= _deaths(breaking) - before <= DEATHS
    if "prepare" not in culprit:
        batches = [json.loads(line) for line in (folder / "batches").read_text().splitlines()]
        deadly = [batch for batch in batches if f"{culprit} it" in batch]
        assert f"beside-{culprit}" in deadly[0], "the test did not bring them together"
        assert all(batch == [f"{culprit} it"] for batch in deadly[1:])
    assert tolerant or reason in _mail_to(breaking, culprit)


@pytest.mark.timeout(300)
def test_a_job_whose_items_all_end_the_worker(breaking: Deployment) -> None:
    """It is given up after some of them, with the reason for each; a job beside it succeeds; few workers die."""
    before = _deaths(breaking)
    guilty = _submit(breaking, *(f"kill {number}" for number in range(40)), tolerant=True)
    other = _submit(breaking, "of somebody else")

    assert breaking.finished(other, 200)["status"] == "succeeded"
    job = breaking.finished(guilty, 200)
    assert job["status"] == "succeeded", job["error"]
    lines = job["report"]["text"].splitlines()
    assert sum("the model ended 3 times while it worked on this part alone" in line for line in lines) == 3
    assert sum("not tried, since the model ended 3 times on each of 3 other parts" in line for line in lines) == 37
    assert _deaths(breaking) - before <= DEATHS_OF_A_RUN


@pytest.mark.timeout(120)
def test_a_raising_predictor(breaking: Deployment) -> None:
    """A job of a predictor that always raises fails with a mail that says why; no worker dies, other jobs succeed."""
    before = _deaths(breaking)
    raising = _submit(breaking, "raise it", "raise this too", email="raise@localhost")
    echo = breaking.submit({"task": "echo", "text": "Beside it."})

    assert breaking.finished(echo)["status"] == "succeeded"
    job = breaking.finished(raising, 60)
    assert job["status"] == "failed"
    assert "it failed 3 times, the last time with LookupError: there is no such thing" in job["error"]
    assert job["error"] in _mail_to(breaking, "raise")
    assert _deaths(breaking) == before


@pytest.mark.timeout(240)
def test_a_worker_that_can_t_load(broker: str, tmp_path: Path) -> None:
    """It is started again ever more slowly, the service says how its model worker ends, and later it is back.

    That it kept ending is known to who asks for a while yet.
    """
    (tmp_path / "broken").touch()
    deployment = Deployment(broker, tmp_path, _settings(tmp_path))
    try:
        deployment._smtp.start()
        deployment.spawn()
        until(lambda: len(_waits(deployment)) >= 3, 120, "three deaths")
        waits = _waits(deployment)
        assert waits[0] == 0
        assert all(wait >= 0.2 * 2**number for number, wait in enumerate(waits[1:]))
        answer = deployment.http.get("/readyz")
        assert answer.status_code == 503
        told = r"model worker 0 ended \d+ times in a row before it was ready, the last time by SIGABRT"
        assert re.search(told, answer.json()["detail"])
        (tmp_path / "broken").unlink()
        until(deployment.ready, 60, "the model worker to be back")
        ground = Ground(Settings.model_validate({"home": tmp_path}), 10.0)
        ready, warned, *_ = asyncio.run(check_api(ground, str(deployment.http.base_url)))
        assert (ready.verdict, warned.verdict) == ("ok", "warning")
        assert re.search(r"0 ended \d+ times within ten minutes .* the last time by SIGABRT", warned.said)
    finally:
        deployment.__exit__()


@pytest.mark.timeout(240)
def test_a_predictor_that_raises_as_it_is_loaded(broker: str, tmp_path: Path) -> None:
    """The service says which and why, where nobody has to look for a log."""
    (tmp_path / "missing").touch()
    deployment = Deployment(broker, tmp_path, _settings(tmp_path))
    try:
        deployment._smtp.start()
        deployment.spawn()
        told = r"before it was ready: predictor breaking can't be loaded: FileNotFoundError: weights.bin is not there"
        until(lambda: re.search(told, _not_ready(deployment)), 120, "the reason")
        (tmp_path / "missing").unlink()
        until(deployment.ready, 60, "the model worker to be back")
    finally:
        deployment.__exit__()


@pytest.mark.timeout(240)
def test_a_module_that_brings_a_heavy_library(broker: str, tmp_path: Path) -> None:
    """The jobs worker says so once, with the module; the model worker, whose log is the same file, does not."""
    settings = {**_settings(tmp_path), "STREAMAPP_TASKS": "heavy_task:Heavy", "STREAMAPP_ONLY_TASKS": "heavy,echo"}
    with Deployment(broker, tmp_path, {**settings, "MPLBACKEND": "agg"}) as deployment:
        said = "the task's module heavy_task brings matplotlib.pyplot into this worker"
        assert deployment.log.read_text().count(said) == 1


def _not_ready(deployment: Deployment) -> str:
    try:
        return deployment.http.get("/readyz").text
    except httpx.TransportError:
        return ""


def _waits(deployment: Deployment) -> list[float]:
    log = deployment.log.read_text() if deployment.log.exists() else ""
    found = re.findall(r"ended before it was ready, with -6; starting again in (\S+) s", log)
    return [float(seconds) for seconds in found]


def _mail_to(deployment: Deployment, name: str) -> str:
    """The text of the one e-mail to that address, on one line."""

    def found() -> list[EmailMessage]:
        return [mail for mail in deployment.mails(1) if mail["To"] == f"{name}@localhost"]

    (mail,) = until(found, 20, f"the mail to {name}")
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())
