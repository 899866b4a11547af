"""The task `echo`, in a module that harms the worker it is loaded into: a file in the folder SABOTAGE says how.

Nothing in the product knows of it. A thread looks for the files; the first process that finds one takes it away:

- ``pause <topic>``: the consumer fetches that topic no more, and Faust knows nothing of it;
- ``break <agent>``: an agent's stream raises;
- ``crash``: an exception reaches Faust's crash path;
- ``block``: a call on the event loop does not return, and leaves the GIL alone; ``hold``: it does not leave it.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from streamapp.tasks.echo import Echo


class Sabotaged(Echo):
    """As `echo`."""

    name: ClassVar[str] = "sabotaged"


def _pause(app: Any, topic: str) -> None:
    consumer = app.consumer._thread._ensure_consumer()
    consumer.pause(*(place for place in consumer.assignment() if place.topic == topic))


def _break(app: Any, agent: str) -> None:
    for actor in app.agents[agent]._actors:
        actor.stream.channel._throw(RuntimeError("sabotage"))


def _crash(app: Any, _: str) -> None:
    app.add_future(app.consumer.crash(RuntimeError("sabotage")))


def _hold(app: Any, _: str) -> None:
    re.fullmatch(r"(a|a)*b", "a" * 200)  # re holds the GIL, and never ends


DEEDS: Mapping[str, Callable[[Any, str], None]] = {
    "pause": _pause,
    "break": _break,
    "crash": _crash,
    "block": lambda app, _: time.sleep(1000),
    "hold": _hold,
}


def _wait_for(folder: Path) -> None:
    from streamapp.bootstrap import jobs_app

    while True:
        time.sleep(0.1)
        for file in folder.iterdir():
            deed, _, which = file.name.partition(" ")
            try:
                file.unlink()
            except FileNotFoundError:
                continue
            app: Any = jobs_app()
            app.loop.call_soon_threadsafe(DEEDS[deed], app, which)


if "worker" in sys.argv and "streamapp" in sys.argv and multiprocessing.parent_process() is None:
    threading.Thread(target=_wait_for, args=(Path(os.environ["SABOTAGE"]),), daemon=True).start()
