"""What a container's health check runs: exit code 0 when it is well, else 1 and a word why.

Usage: python health.py jobs|model URL

``jobs`` asks the worker at URL whether it is ready. ``model`` asks it whether it has lately heard of a model worker on
this host: those have no port of their own, and one that hangs is not heard of. Where API keys are asked for, it
needs one with the scope admin in STREAMAPP_API_KEY.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any
from urllib.request import Request, urlopen

__all__ = ["main"]

TIMEOUT_S = 4.0


def main(role: str, url: str) -> str | None:
    """Why it is not well, or None."""
    try:
        if role == "jobs":
            _get(f"{url}/readyz")
            return None
        hosts = [worker["host"] for worker in _get(f"{url}/v1/agents")["workers"]]
    except (OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return None if socket.gethostname() in hosts else "this host's model worker was not heard of lately"


def _get(url: str) -> Any:
    key = os.environ.get("STREAMAPP_API_KEY", "")
    request = Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    with urlopen(request, timeout=TIMEOUT_S) as answer:  # a status of 400 or more raises HTTPError, which is an OSError
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
