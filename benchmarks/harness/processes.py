"""Processes that the benchmark starts: each ends with it, in whatever way it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

from streamapp.embedded.child import last_line, leashed
from streamapp.testing.deployment import until

__all__ = ["Leashed", "Sidecar", "clean_environment", "cpu_seconds", "resident_bytes"]

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 10.0
LOAD_S = 300.0


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without streamapp's settings, and some more."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    return {**kept, "TOKENIZERS_PARALLELISM": "false", **more}


class Leashed:
    """A command with its output in a log."""

    def __init__(self, command: Sequence[str], log: Path, environ: Mapping[str, str]) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(leashed(command, log), stdin=subprocess.PIPE, env=environ, cwd=ROOT)

    def until_said(self, text: str) -> None:
        """Wait until the log has this text. Raises RuntimeError when the process ends instead."""

        def look() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.log.stem} ended: {last_line(self.log)}; its log is {self.log}")
            return self.log.exists() and text in self.log.read_text(errors="replace")

        until(look, LOAD_S, f"{self.log.stem} to start; its log is {self.log}")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


class Sidecar:
    """A module of `benchmarks.sidecars` as a process: loads once, then answers questions."""

    def __init__(self, module: str, folder: Path, **environ: str) -> None:
        self._name = module
        self._folder = folder / module
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.sidecars.{module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean_environment(STREAMAPP_HOME=str(self._folder), **environ),
                cwd=ROOT,
                text=True,
            )
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, text: str) -> dict[str, Any]:
        """What it makes of this text. Waits until it has loaded."""
        self.until_ready()
        file = self._folder / "text.txt"
        file.write_text(text, encoding="utf-8")
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"file": str(file)}) + "\n")
        self._process.stdin.flush()
        return self._line()

    def until_ready(self) -> None:
        """Wait until it has loaded."""
        if not self._ready:
            self._ready = bool(self._line()["ready"])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended: {last_line(self._folder / 'log')}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def resident_bytes(processes: Sequence[psutil.Process]) -> int:
    """The resident memory of these processes, shared pages counted each time."""
    return sum(process.memory_info().rss for process in processes)


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """The time that these processes have had so far, user and system."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)
