"""Writes requirements/*.txt from requirements/*.in: exact versions with hashes, for every platform. Run by `make lock`.

No address of an index is written, so an installation uses whichever index its machine is set up for; the hashes make
sure that the files are the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["compile_command", "main"]

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
COMMON = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
LOCKS = {
    "uv": (),
    # an excluded package is left out with all that only it needs
    "run": ("--excludes", "run-excludes.in"),
    "test": ("--constraints", "run.txt"),
}


def compile_command(name: str, *more: str) -> list[str]:
    """How one lock is made."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", f"{name}.in", "--output-file", f"{name}.txt"]
    return [*uv, *COMMON, *LOCKS[name], *more]


def main(arguments: list[str]) -> int:
    """All locks, in order; arguments (``--upgrade``) go to uv."""
    # what a lock says must not depend on this machine's settings
    environ = {key: value for key, value in os.environ.items() if not key.startswith("UV_TORCH")}
    for name in LOCKS:
        subprocess.run(
            compile_command(name, *arguments), cwd=FOLDER, env=environ, check=True, stdout=subprocess.DEVNULL
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
