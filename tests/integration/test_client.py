"""Both Python clients on a real worker: to the end, over broken connections, lost answers and a restart."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streamapp.client import (
    ApiError,
    ApiUnreachable,
    AsyncClient,
    Client,
    DoneEvent,
    JobEvent,
    PartialEvent,
    ProgressEvent,
    WaitTimeout,
)
from streamapp.embedded.ports import free_port
from streamapp.resources import DeliveryResource
from streamapp.testing.deployment import Deployment, until
from tests.integration.cutting_proxy import CuttingProxy

ROOT = Path(__file__).parents[2]
WORDS = "one two three four five six"
ADDRESS = "http://127.0.0.1:6066"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def steering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a file holds the word of its name."""
    return tmp_path_factory.mktemp("steering")


@pytest.fixture(scope="module")
def running(broker: str, tmp_path_factory: pytest.TempPathFactory, steering: Path) -> Iterator[Deployment]:
    """A worker whose task tells how far it is, word by word, and `echo`."""
    settings = {
        "STREAMAPP_TASKS": "telling_task:Telling",
        "STREAMAPP_ONLY_TASKS": "telling,echo",
        "STREAMAPP_DEFAULT_TASK": "telling",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_CHUNK_ITEMS": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)]),
        "STEERED": str(steering),
    }
    with Deployment(broker, tmp_path_factory.mktemp("client"), settings) as deployment:
        yield deployment


@pytest.fixture(autouse=True)
def let_go(steering: Path) -> Iterator[None]:
    """No test leaves a word that is held."""
    yield
    for held in steering.glob("[a-z]*"):
        if held.name not in ("begun", "computed"):
            held.unlink()


@pytest.fixture(params=["sync", "async"])
def how(request: pytest.FixtureRequest) -> str:
    """Which client asks."""
    return str(request.param)


def ask(how: str, url: str, method: str, *args: Any, seen: Callable[[Any], None] = lambda _: None, **given: Any) -> Any:
    """What the client's method gives; of one that gives several, all of them, each `seen` as it comes."""
    if how == "async":
        return asyncio.run(_ask(url, method, args, given, seen))
    with Client(url) as client:
        found = getattr(client, method)(*args, **given)
        return [_seen(seen, each) for each in found] if isinstance(found, Iterator) else found


async def _ask(url: str, method: str, args: Any, given: Any, seen: Callable[[Any], None]) -> Any:
    async with AsyncClient(url) as client:
        found = getattr(client, method)(*args, **given)
        return [_seen(seen, each) async for each in found] if isinstance(found, AsyncIterator) else await found


def _seen(seen: Callable[[Any], None], each: Any) -> Any:
    seen(each)
    return each


def kinds(events: list[JobEvent], kind: type) -> list[Any]:
    """What events of that kind say."""
    return [event.data for event in events if isinstance(event.data, kind)]


def test_from_a_file_to_its_result(how: str, running: Deployment, tmp_path: Path) -> None:
    """Submit, stream with deliveries, result, list, delete: the far end is the mailbox and the report."""
    file = tmp_path / "words.txt"
    file.write_text(WORDS, encoding="utf-8")
    before = len(list(running.mailbox.glob("new/*")))
    name = f"words for {how}"
    job = ask(how, running.url, "submit", "telling", file=file, email="reader@localhost", name=name, key=f"own {how}")
    again = ask(how, running.url, "submit", "telling", file=file, email="reader@localhost", name=name, key=f"own {how}")
    assert again.id == job.id
    events = ask(how, running.url, "stream", job.id, deliveries=True)
    (end,) = kinds(events, DoneEvent)
    assert (end.status, end.done) == ("succeeded", 6)
    assert sorted(each.kind for each in kinds(events, DeliveryResource)) == ["email", "notification"]
    assert len(running.mails(before + 1)) == before + 1
    assert ask(how, running.url, "result", job.id).text == WORDS
    assert ask(how, running.url, "wait", job.id).report.text == WORDS
    with pytest.raises(ApiError, match="There is no such plot"):
        ask(how, running.url, "plot", job.id)
    assert [each.name for each in ask(how, running.url, "each_job", task="telling") if each.id == job.id] == [name]
    ask(how, running.url, "delete", job.id)
    with pytest.raises(ApiError, match="404"):
        ask(how, running.url, "job", job.id)


def test_the_finished_job_at_once(how: str, running: Deployment) -> None:
    """With `wait_s`; and what is allowed is said in types."""
    assert ask(how, running.url, "submit", "echo", text="A line.", wait_s=60).report.text == "A line."
    assert ask(how, running.url, "limits").wait_s == 60


def test_a_stream_that_is_cut(how: str, running: Deployment, steering: Path) -> None:
    """In the middle of events of every kind: I expect the whole story told once, and each delivery of it.

    What is told and lost in a cut is told again or missing here: of an end and of deliveries nothing else remains.
    """
    (steering / "slow").write_text("0.3")
    kind = b"event: %b\ndata: "
    marks = [kind % name for name in (b"progress", b"progress", b"partial", b"done", b"delivery", b"delivery")]
    told: list[JobEvent] = []

    def count(event: JobEvent) -> None:
        told.append(event)
        assert len(told) < 50, "it is told again and again"

    with CuttingProxy(running.url, *marks) as proxy:
        job = ask(how, proxy.url, "submit", "telling", text=WORDS, email="reader@localhost", fresh=True)
        events = ask(how, proxy.url, "stream", job.id, seen=count, deliveries=True)
    assert proxy.marks in ([], [kind % b"partial"])  # words that are through out of order make no partial report
    assert sorted(each.kind for each in kinds(events, DeliveryResource)) == ["email", "notification"]
    (end,) = kinds(events, DoneEvent)
    assert (end.status, end.done) == ("succeeded", 6)
    done = [(each.status != "queued", each.done) for each in kinds(events, ProgressEvent)]
    assert done == sorted(set(done))
    assert done[-1] == (True, 6)
    texts = [each.text for each in kinds(events, PartialEvent)]
    assert texts == [text for text in ("one two", "one two three four", WORDS) if text in texts]
    assert len({event.id for event in events}) == len(events)


def test_a_lost_answer(how: str, running: Deployment) -> None:
    """The worker accepted, and nobody heard of it: the client sends again, and there is one job."""
    name = f"lost {uuid.uuid4()}"
    with CuttingProxy(running.url, b"HTTP/1.1 202") as proxy:
        job = ask(how, proxy.url, "submit", "echo", text="A line.", name=name)
        assert (proxy.cuts, proxy.asked.count(b"POST /v1/jobs")) == (1, 2)
    assert [each.id for each in ask(how, running.url, "each_job", task="echo") if each.name == name] == [job.id]
    assert ask(how, running.url, "wait", job.id).status == "succeeded"


def test_a_cancel(how: str, running: Deployment, steering: Path) -> None:
    """It holds, the stream says so, and a retry starts the next run."""
    (steering / "two").touch()
    job = ask(how, running.url, "submit", "telling", text="one two", fresh=True)
    assert ask(how, running.url, "cancel", job.id).status == "cancelled"
    assert ask(how, running.url, "stream", job.id)[-1].data.status == "cancelled"
    assert ask(how, running.url, "wait", job.id).status == "cancelled"
    (steering / "two").unlink()
    assert ask(how, running.url, "retry", job.id).run == 2
    assert ask(how, running.url, "wait", job.id).report.text == "one two"
    with pytest.raises(ApiError, match="409"):
        ask(how, running.url, "retry", job.id)


def test_a_wait_that_is_too_short(how: str, running: Deployment, steering: Path) -> None:
    """A typed error, and the job goes on."""
    (steering / "two").touch()
    job = ask(how, running.url, "submit", "telling", text="one two", fresh=True)
    with pytest.raises(WaitTimeout) as raised:
        ask(how, running.url, "wait", job.id, timeout_s=0.5)
    assert raised.value.job.id == job.id
    assert running.job(job.id)["status"] in ("queued", "running")
    (steering / "two").unlink()
    assert ask(how, running.url, "wait", job.id, timeout_s=60).report.text == "one two"


def test_a_worker_that_is_restarted(running: Deployment, steering: Path) -> None:
    """Killed while both wait and both follow: I expect none of the four to notice more than a delay."""
    (steering / "two").touch()
    job = running.submit({"task": "telling", "text": "one two three", "fresh": True})
    with CuttingProxy(running.url) as proxy, ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(ask, how, proxy.url, "wait", job) for how in ("sync", "async")]
        streams = [pool.submit(ask, how, proxy.url, "stream", job) for how in ("sync", "async")]
        until(lambda: proxy.asked.count(b"/events HTTP/1.1") == 4, 30, "four streams")
        running.kill("streamapp")
        running.stop()
        assert not any(each.done() for each in (*waits, *streams))
        running.start()
        (steering / "two").unlink()
        assert [each.result(120).status for each in waits] == ["succeeded"] * 2
        for each in streams:
            events = each.result(120)
            assert isinstance(events[-1].data, DoneEvent)
            assert len({event.id for event in events}) == len(events)


def test_nobody_there(how: str) -> None:
    """The error says where, and what to check."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ApiUnreachable, match=rf"Nothing answers at {url}: .*refused.*|.*failed.*Check the address"):
        ask(how, url, "limits")


def streamapp(*words: str) -> subprocess.Popen[str]:
    """The command, as a terminal's shell starts it: one that runs in the background would have it ignore SIGINT."""
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", f"{program}from streamapp.__main__ import main; main()", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


def test_submit_and_wait(running: Deployment, tmp_path: Path) -> None:
    """The report on stdout, and what there was of it before, and how far it was, on stderr."""
    file = tmp_path / "words.txt"
    file.write_text(WORDS, encoding="utf-8")
    with streamapp("submit", str(file), "--task", "telling", "--wait", "--fresh", "--url", running.url) as run:
        out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (0, f"{WORDS}\n")
    assert re.search(r"(?m)^✓ job [0-9a-f-]{36} \([0-9.]+ s\)$", err)


def test_submit_standard_input(running: Deployment) -> None:
    """What comes through a pipe is taken for the text that it is; name, priority and deadline are taken too."""
    wanted = ["--name", "piped", "--priority", "-1", "--deadline", "1h", "--fresh"]
    with streamapp("submit", "-", "--task", "telling", *wanted, "--url", running.url) as run:
        out, err = run.communicate(WORDS, timeout=120)
    assert (run.returncode, err) == (0, "")
    job = running.finished(out.split()[1])
    assert (job["status"], job["name"], job["report"]["text"]) == ("succeeded", "piped", WORDS)


def test_interrupted_while_it_waits(running: Deployment, steering: Path, tmp_path: Path) -> None:
    """The job goes on, and its user is told how to see and to cancel it."""
    (steering / "three").touch()
    file = tmp_path / "words.txt"
    file.write_text(WORDS, encoding="utf-8")
    with streamapp("submit", str(file), "--task", "telling", "--wait", "--fresh", "--url", running.url) as run:
        assert run.stderr is not None
        job = run.stderr.readline().split()[1]
        assert run.stderr.readline().strip() == f"… job {job}"
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (130, "")
    assert f"Job {job} goes on." in err
    assert f"streamapp job {job} --wait --url {running.url}" in err
    assert "Traceback" not in err
    assert running.job(job)["status"] in ("queued", "running")
    told = re.search(r"streamapp (jobs cancel .*)", err)
    assert told is not None
    with streamapp(*told[1].split()) as cancelling:
        assert cancelling.communicate(timeout=60)[0] == f"{job}: cancelled\n"
    assert running.job(job)["status"] == "cancelled"


def test_the_examples_in_the_readme(running: Deployment, steering: Path) -> None:
    """They run as they stand, but for the address and the task."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## From Python\n")[2].partition("\n## ")[0]
    examples = re.findall(r"(?s)```python\n(.+?)```", section)
    assert len(examples) == 2
    for example in examples:
        assert ADDRESS in example
        program = example.replace(ADDRESS, running.url).replace('"summarize"', '"echo"')
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=ROOT)
        assert run.returncode == 0, run.stderr
        assert "succeeded" in run.stdout
