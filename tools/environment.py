"""Builds .venv from the hash-locked requirements; does nothing when it is built already. Run by the Makefile.

Usage: environment.py run|test [--dry-run]

`test` is all of `run` and more, in the same versions, so an environment for tests serves to run as well. Installs are
exact: every file by its hash, nothing resolved. The one exception is asked for by name: TORCH_BACKEND
(cpu, cu126, …) goes to uv as --torch-backend and brings another build of torch, from another index and with hashes of
its own, so that one package is pinned by its version alone; it is remembered until another one is named.

Needs nothing but Python's standard library, because it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["Environment", "InstallError", "main", "split_lock"]

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
SETS = {"run": ("run", "test"), "test": ("test",)}  # what is asked for: what satisfies it

TORCH_PARTS = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)==")
NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|Network is unreachable|Connection refused"
    r"|No route to host|ProxyError|timed out|dns error",
    re.IGNORECASE,
)


class InstallError(Exception):
    """The message is the one sentence that is shown."""


def split_lock(text: str) -> tuple[str, str]:
    """A lock without torch and the libraries that come with it, and torch's own pin (``torch==2.15.0``)."""
    blocks = re.split(r"(?m)^(?=\S)", text)
    rest = "".join(block for block in blocks if not TORCH_PARTS.match(block))
    pin = next(block.split()[0] for block in blocks if block.startswith("torch=="))
    return rest, pin


class Environment:
    """One .venv, the set of requirements it should have, and how to get there."""

    def __init__(self, wanted: str, environ: Mapping[str, str], root: Path = ROOT) -> None:
        self.wanted = wanted
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "stamp.json"
        self.begun = self.folder / "begun"
        self.backend = environ.get("TORCH_BACKEND") or str(self._stamped().get("backend") or "")

    def is_ready(self) -> bool:
        """Whether .venv is complete and has what is wanted."""
        stamp = self._stamped()
        which = str(stamp.get("set"))
        return self.python.exists() and which in SETS[self.wanted] and stamp == self._description(which)

    def commands(self) -> Iterator[list[str]]:
        """What is run, in order, once .venv exists with pip in it."""
        python, requirements = str(self.python), self.root / "requirements"
        exact = ["--require-hashes", "--no-deps"]
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
        yield [*pip, *exact, "-r", str(requirements / "uv.txt")]
        uv = [python, "-m", "uv", "pip", "install", "--python", python]
        lock = requirements / f"{self.wanted}.txt"
        if self.backend:
            rest, pin = split_lock(lock.read_text(encoding="utf-8"))
            yield [*uv, *exact, "-r", self._written(rest)]
            yield [*uv, "--no-deps", "--torch-backend", self.backend, pin]
        else:
            yield [*uv, *exact, "-r", str(lock)]
        # setuptools comes from the lock: an isolated build would fetch one that is in no lock
        # compat: by a path, since what setuptools hooks in instead comes after the folder that a script is started in,
        # and there a clone of this name would pass for the package
        mode = ["--config-setting", "editable_mode=compat"]
        yield [*uv, "--quiet", "--no-deps", "--no-build-isolation", *mode, "--editable", str(self.root)]

    def build(self) -> None:
        """Make it so. Raises `InstallError`."""
        if self.begun.exists() or not self.python.exists() or self._is_of_another_python():
            shutil.rmtree(self.folder, ignore_errors=True)  # an install that broke off may have left half a package
            self._create()
        self.stamp.unlink(missing_ok=True)
        self.begun.touch()
        for command in self.commands():
            _run(command)
        draft = self.folder / "stamp.new"
        draft.write_text(json.dumps(self._description(self.wanted)), encoding="utf-8")
        os.replace(draft, self.stamp)
        self.begun.unlink()

    def _create(self) -> None:
        _say(f"Making an environment in {self.folder} with Python {sys.version.split()[0]}")
        try:
            venv.create(self.folder, with_pip=True)
        except (subprocess.CalledProcessError, OSError, ImportError) as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise InstallError(
                "This Python can't make a virtual environment with pip "
                f"({type(error).__name__}): on Debian and Ubuntu, install python3-venv."
            ) from error

    def _is_of_another_python(self) -> bool:
        return self._stamped().get("python", VERSION) != VERSION

    def _written(self, rest: str) -> str:
        path = self.folder / "without-torch.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(rest, encoding="utf-8")
        return str(path)

    def _stamped(self) -> dict[str, object]:
        with contextlib.suppress(OSError, ValueError):
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
            return stamp if isinstance(stamp, dict) else {}
        return {}

    def _description(self, which: str) -> dict[str, object]:
        """What .venv is made from: when any of it changes, it is brought up to date."""
        sources = [self.root / "requirements" / "uv.txt", self.root / "requirements" / f"{which}.txt"]
        digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in [*sources, self.root / "setup.cfg"]))
        return {"set": which, "sources": digest.hexdigest(), "backend": self.backend, "python": VERSION}


def _say(text: str) -> None:
    print(text, flush=True)


def _run(command: Sequence[str]) -> None:
    """Run it with its progress visible; pip's own words are kept back, uv's are good."""
    _say(f"$ {shlex.join(command)}")
    by_pip = "uv" not in command
    done = subprocess.run(command, check=False, text=True, stderr=subprocess.PIPE if by_pip else None)
    if done.returncode == 0:
        return
    said = (done.stderr or "").strip()
    if NO_NETWORK.search(said):
        raise InstallError(
            "There is no connection to the package index: the first install needs a network, later starts don't."
        )
    if said:
        _say(said)
    raise InstallError(
        f"The install broke off (exit code {done.returncode}, the reason is above): "
        "run it again when that is mended; what was downloaded is kept."
    )


def main(arguments: Sequence[str]) -> int:
    """See the module's docstring. Exit code 0, or 1 after one sentence on standard error."""
    wanted, dry = arguments[0], "--dry-run" in arguments
    try:
        if sys.version_info < OLDEST:
            raise InstallError(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}.")
        with open(__file__, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at a time would build into one folder
            environment = Environment(wanted, os.environ)
            if dry:
                for command in environment.commands():
                    _say(shlex.join(command))
            elif not environment.is_ready():
                environment.build()
    except InstallError as failure:
        print(f"streamapp: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("streamapp: stopped; the next start begins the install again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
