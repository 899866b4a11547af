"""Streams of events from real workers: to the end, over a kill -9 and at another worker, and many of them."""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamapp.testing.deployment import Deployment, until

logger = logging.getLogger(__name__)

STREAMS = 1000
WORDS = ("one", "two", "three", "four", "five", "six")


def settings(folder: Path) -> dict[str, str]:
    """A worker whose task tells how far it is; each word is a chunk."""
    return {
        "STREAMAPP_TASKS": "telling_task:Telling",
        "STREAMAPP_ONLY_TASKS": "telling",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_CHUNK_ITEMS": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])]),
        "STEERED": str(folder),
    }


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come, with what they say under `data`."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            event[name] = value.strip()
        elif "event" in event:
            yield {**event, "data": json.loads(event["data"])}
            event = {}


def follow(deployment: Deployment, job: str, last: str | None = None) -> Any:
    """The stream of a job, from where the reader was."""
    headers = {"Last-Event-ID": last} if last else {}
    return deployment.http.stream("GET", f"/v1/jobs/{job}/events", headers=headers, timeout=90)


@pytest.mark.timeout(400)
def test_a_reader_goes_on_at_another_worker(broker: str, tmp_path: Path) -> None:
    """The worker is killed in the middle: I expect the whole story told once, by it and by the other together."""
    (tmp_path / "five").touch()
    told: list[dict[str, Any]] = []
    with Deployment(broker, tmp_path, settings(tmp_path)) as other:
        gone = other.spawn_another({"STREAMAPP_MODEL_WORKERS": "0"})
        until(gone.ready, 120, "the second worker")
        job = other.submit({"task": "telling", "text": " ".join(WORDS), "email": "reader@localhost"})
        with follow(gone, job) as stream:
            for event in events(stream.iter_lines()):
                told.append(event)
                if event["event"] == "partial" and event["data"]["text"] == "one two three four":
                    gone.kill("streamapp")
                    break
        (tmp_path / "five").unlink()
        other.finished(job, 120)
        with follow(other, job, told[-1]["id"]) as stream:
            told += events(stream.iter_lines())
        over = other.http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": told[-1]["id"]})
        assert over.status_code == 204
        notices = other.http.get("/v1/notifications").json()["items"]
    names = [event["event"] for event in told]
    assert names.count("done") == 1
    assert names.index("done") == len(told) - 3
    assert sorted(event["data"]["kind"] for event in told[-2:]) == ["email", "notification"]
    assert {event["data"]["state"] for event in told[-2:]} == {"sent"}
    done = [event["data"]["done"] for event in told if event["event"] == "progress"]
    assert done[-1] == len(WORDS)
    assert done == sorted(done)
    assert len({event["id"] for event in told}) == len(told)
    assert len(notices) == 1


@pytest.mark.timeout(400)
def test_a_thousand_streams(broker: str, tmp_path: Path) -> None:
    """Open on one worker: I expect all to hear of an end, none twice, and the worker to stop as ever with some open.

    The figures are logged: `--log-cli-level=info` shows them.
    """
    (tmp_path / "two").touch()
    with Deployment(broker, tmp_path, settings(tmp_path)) as deployment, ExitStack() as stack:
        jobs = [deployment.submit({"task": "telling", "text": "one two three"}) for _ in range(20)]
        worker = deployment.workers("streamapp")[-1]
        paths = [f"/v1/jobs/{jobs[number % 20]}/events" for number in range(STREAMS - 200)]
        paths += ["/v1/events"] * 100 + ["/v1/notifications/stream"] * 100
        before = _figures(worker)
        streams = [stack.enter_context(_connected(deployment, path)) for path in paths]
        heard = _hear(streams, lambda seen: all(b"id: " in each for each in seen.values()))
        opened = _figures(worker)
        time.sleep(10)  # what it costs while nothing happens
        logger.info("%s", _said(before, opened, _figures(worker)))
        assert all(b" 200 OK" in each for each in heard.values())
        late = time.monotonic()
        (tmp_path / "two").unlink()
        heard = _hear(streams, lambda seen: all(b"event: " in each for each in seen.values()), heard)
        logger.info("all have heard of an end after %.1f s", time.monotonic() - late)
        ends = {at: heard[at].count(b"event: done") for at in heard}
        assert {ends[at] for at in range(STREAMS - 200)} <= {0, 1}
        more = [stack.enter_context(_connected(deployment, "/v1/events")) for _ in range(50)]
        _hear(more, lambda seen: all(b"id: " in each for each in seen.values()))
        began = time.monotonic()
        assert deployment.stop(20) == 0
        logger.info("stopped in %.1f s", time.monotonic() - began)
        assert all(each.endswith(b"0\r\n\r\n") for each in _hear(more, lambda seen: False).values())


def _connected(deployment: Deployment, path: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", deployment.port))
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{deployment.port}\r\n\r\n".encode())
    stream.setblocking(False)
    return stream


def _hear(streams: list[socket.socket], enough: Any, heard: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
    """Read from all until it is enough, or all have ended."""
    seen = dict(heard or {at: b"" for at in range(len(streams))})
    until_s = time.monotonic() + 120
    with selectors.DefaultSelector() as selector:
        for at, stream in enumerate(streams):
            selector.register(stream, selectors.EVENT_READ, at)
        while not enough(seen) and selector.get_map() and time.monotonic() < until_s:
            for key, _ in selector.select(1):
                content = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # they are sockets
                seen[key.data] += content
                if not content:
                    selector.unregister(key.fileobj)
    return seen


def _figures(worker: psutil.Process) -> tuple[float, float, float]:
    times = worker.cpu_times()
    return time.monotonic(), times.user + times.system, worker.memory_info().rss / 2**20


def _said(before: tuple[float, ...], opened: tuple[float, ...], after: tuple[float, ...]) -> str:
    opening = f"{STREAMS} streams opened in {opened[0] - before[0]:.1f} s, CPU {opened[1] - before[1]:.1f} s"
    held = f"{opened[2] - before[2]:.1f} MiB more, then {after[2] - opened[2]:.1f}"
    return f"{opening}; {held}; idle {100 * (after[1] - opened[1]) / (after[0] - opened[0]):.1f} % of a core"
