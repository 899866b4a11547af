"""The Flask site under gunicorn, with the flags that the old intake was run with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx
import psutil

from streamapp.embedded.child import leashed
from streamapp.embedded.ports import free_port
from streamapp.testing.deployment import until

OLD_FLAGS = ("-k", "gthread", "-w", "2", "--threads", "3")


class GunicornSite:
    """One gunicorn with its workers. Use it as a context manager."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *flags: str) -> None:
        self.port = free_port()
        self.log = folder / f"gunicorn-{self.port}.log"
        # gunicorn closes a connection of whose request it left more than 64 KiB unread, having said that it is kept:
        # the next request on it may be lost, so each has one of its own
        fresh = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30.0, trust_env=False, limits=fresh)
        command = [sys.executable, "-m", "gunicorn", *OLD_FLAGS, "-b", f"127.0.0.1:{self.port}", *flags]
        self._command = [*command, "tests.integration.flask_site:app"]
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = Path(__file__).parents[2]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            leashed(self._command, self.log),
            stdin=subprocess.PIPE,
            env={**self._environment, "PYTHONPATH": str(root)},
            cwd=root,
        )
        until(self._answers, 60, f"gunicorn; its log is {self.log}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.terminate()
            self.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.http.close()

    def terminate(self) -> None:
        """SIGTERM, as whoever runs it stops it."""
        self._master().terminate()

    def wait(self) -> None:
        """Return when it has ended."""
        assert self._process is not None
        self._process.wait(40)

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return self._master().children()

    def kill_worker(self) -> None:
        """kill -9 to one of its workers."""
        os.kill(self.workers()[0].pid, signal.SIGKILL)

    def _master(self) -> psutil.Process:
        assert self._process is not None
        every = psutil.Process(self._process.pid).children(recursive=True)
        return next(process for process in every if "gunicorn" in process.cmdline())

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"gunicorn ended: {self.log.read_text()[-3000:]}")
        try:
            return self.http.get("/").text == "A site."
        except httpx.TransportError:
            return False
