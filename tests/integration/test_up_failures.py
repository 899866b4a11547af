"""What can be wrong when `up` starts is one sentence and an exit code, or mended; and nothing is ever left running."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from streamapp.embedded import processes
from streamapp.embedded.ports import free_port

SCRIPT = Path(__file__).with_name("run_up.py")
ROOT = SCRIPT.parent.parent.parent


def environ(home: Path, **more: str) -> dict[str, str]:
    """An environment for `up` with a home and a web port of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    given = {"STREAMAPP_HOME": str(home), "STREAMAPP_WEB_PORT": str(free_port()), "PYTHONPATH": str(ROOT)}
    return {**clean, **given, **more}


def refused(home: Path, **more: str) -> tuple[str, int, float]:
    """Run `up` that must end by itself: what it says on standard error, its exit code, the seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=environ(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert processes.of_home(home) == []
    return done.stderr, done.returncode, time.monotonic() - began


@contextmanager
def running(home: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`up`, after it has said that it is; the lines it said until then."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        env=environ(home, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        else:
            pytest.fail("\n".join(lines))
        yield process, lines
    finally:
        process.kill()
        process.communicate()
        processes.end(processes.of_home(home), 5.0)


def test_first_start_then_ctrl_c_then_a_second_start(tmp_path: Path) -> None:
    """I expect the report, the e-mail's file and a curl line; all gone within 10 s; no first job the second time."""
    with running(tmp_path) as (process, lines):
        text = "\n".join(lines)
        assert "Its [summary]." in text
        (mail,) = (tmp_path / "mail" / "new").iterdir()
        assert str(mail) in text
        assert "curl -F task=summarize -F file=@" in text
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 10
        assert processes.of_home(tmp_path) == []
        assert "Stopping because of Ctrl-C (SIGINT); once more stops at once." in said_since(process)
    with running(tmp_path) as (process, lines):
        assert "The broker of `streamapp up` listens" in examined(tmp_path)
        assert "It knows 1 job." in lines
        assert not any("first job" in line for line in lines)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert said_since(process) == ["Stopping because of SIGTERM; once more stops at once.", "Stopped."]


def said_since(process: subprocess.Popen[str]) -> list[str]:
    """What `up` that has ended said after it was up."""
    assert process.stdout is not None
    return process.stdout.read().splitlines()


def examined(home: Path) -> str:
    """What `streamapp doctor` says of that home in its check of `up`."""
    command = [sys.executable, "-m", "streamapp", "doctor", "--json"]
    ran = subprocess.run(command, env=environ(home), capture_output=True, text=True, timeout=60, check=False)
    (found,) = (check["findings"] for check in json.loads(ran.stdout)["checks"] if check["name"] == "up")
    return str(found[0]["said"])


def test_what_a_crash_left_over_is_mended(tmp_path: Path) -> None:
    """I expect the children to end by themselves after kill -9 of `up`, and a start right after it to work."""
    with running(tmp_path) as (process, _):
        children = processes.of_home(tmp_path)
        assert len(children) >= 5  # two leashes, Java, the worker and what it started
        process.kill()
        process.wait()
        with running(tmp_path) as (second, _):
            assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
            second.send_signal(signal.SIGINT)
            assert second.wait(10) == 0
    assert processes.of_home(tmp_path) == []


def test_a_broker_without_its_leash_is_found(tmp_path: Path) -> None:
    """I expect a broker that outlived everything above it to be stopped by the next start."""
    with running(tmp_path) as (process, _):
        (java,) = (child for child in processes.of_home(tmp_path) if child.name() == "java")
        process.send_signal(signal.SIGSTOP)  # so that it neither stops nor restarts what is killed now
        for child in processes.of_home(tmp_path):
            if child.pid != java.pid:
                child.kill()
        process.kill()
        process.wait()
        assert java.is_running()
        with running(tmp_path) as (second, lines):
            assert any("earlier start left over (1 processes)" in line for line in lines)
            assert not java.is_running()
            second.send_signal(signal.SIGINT)
            assert second.wait(10) == 0


def test_a_second_up_on_the_same_home(tmp_path: Path) -> None:
    """I expect the second to be refused, and the first to go on."""
    with running(tmp_path) as (process, _):
        said, code, _ = refused_beside(tmp_path)
        assert code == 1
        assert f"already up with the home {tmp_path} (process {process.pid})" in said
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def refused_beside(home: Path) -> tuple[str, int, float]:
    """As `refused`, while another one runs."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environ(home), capture_output=True, text=True, timeout=60, check=False
    )
    return done.stderr, done.returncode, 0.0


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    """I expect nobody to be left, and no waiting."""
    with running(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert process.wait(3) in (0, 130)
        deadline = time.monotonic() + 5
        while processes.of_home(tmp_path) and time.monotonic() < deadline:
            psutil.wait_procs(processes.of_home(tmp_path), timeout=0.1)
        assert processes.of_home(tmp_path) == []


def test_a_busy_web_port(tmp_path: Path) -> None:
    """I expect the port, the variable and the holder, before anything slow."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        said, code, took_s = refused(tmp_path, STREAMAPP_WEB_PORT=str(port))
    assert (code, said.count("\n")) == (1, 1)
    assert f"Port {port} is taken by" in said
    assert f"process {os.getpid()}" in said
    assert "STREAMAPP_WEB_PORT" in said
    assert took_s < 10
    assert not (tmp_path / "broker").exists()


def test_a_broker_address_that_does_not_answer(tmp_path: Path) -> None:
    """I expect one sentence within about 15 s, and no broker of our own."""
    said, code, took_s = refused(tmp_path, STREAMAPP_BROKER="127.0.0.1:1")
    assert (code, said.count("\n")) == (1, 1)
    assert "127.0.0.1:1" in said
    assert took_s < 25
    assert not (tmp_path / "broker").exists()


def test_a_nearly_full_disk(tmp_path: Path) -> None:
    """I expect one sentence before anything is started."""
    said, code, _ = refused(tmp_path, LEAST_FREE_MIB="999999999")
    assert (code, said.count("\n")) == (1, 1)
    assert "nearly full" in said


def test_an_address_that_is_not_this_machines(tmp_path: Path) -> None:
    """I expect a configuration error that names the variable."""
    said, code, _ = refused(tmp_path, STREAMAPP_WEB_HOST="203.0.113.7")
    assert (code, said.count("\n")) == (78, 1)
    assert "STREAMAPP_WEB_HOST" in said


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"STREAMAPP_TASKS": "nowhere:Task"}, "nowhere:Task"),
        ({"STREAMAPP_TASKS": "tests.integration.telling_task:Telling", "STREAMAPP_ONLY_TASKS": "x"}, "ONLY_TASKS"),
        ({"STREAMAPP_TASKS": "tests.integration.telling_task:Telling", "STREAMAPP_DEFAULT_TASK": "x"}, "DEFAULT_TASK"),
    ],
)
def test_tasks_that_are_none(tmp_path: Path, wrong: dict[str, str], named: str) -> None:
    """I expect a configuration error that names it before a broker is started."""
    said, code, _ = refused(tmp_path, **wrong)
    assert (code, said.count("\n")) == (78, 1)
    assert named in said
    assert not (tmp_path / "broker").exists()


def test_a_worker_that_refuses_its_configuration(tmp_path: Path) -> None:
    """I expect its last sentence, exit code 78 and no second try."""
    said, code, _ = refused(tmp_path, STAND_IN="refuses")
    assert (said, code) == ("streamapp: STREAMAPP_DEVICE: there is no such device\n", 78)
