"""Processes beside the benchmark's own: each loads one heavy thing once, and answers one question at a time.

A question and its answer are a line of JSON each. The end of standard input ends the process, so none is left behind.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["serve"]

Answer = Mapping[str, Any]


def serve(load: Callable[[], Callable[[Mapping[str, Any]], Answer]]) -> None:
    """Load, say that it is done, and answer until the end of input. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    ask = load()
    answers.write('{"ready": true}\n')
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(dict(ask(json.loads(line)))) + "\n")
        answers.flush()
