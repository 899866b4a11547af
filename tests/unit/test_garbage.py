"""How often a jobs worker looks for garbage; each case is a process of its own, since it sets that for the process."""

from __future__ import annotations

import subprocess
import sys

FINDS = """
import gc, weakref
from streamapp.garbage import THRESHOLDS, look_less

class Ring:
    def __init__(self):
        self.me = self

look_less()
assert gc.get_threshold() == THRESHOLDS
assert gc.get_freeze_count() > 5_000 > gc.get_count()[0]
seen = weakref.ref(Ring())
kept = []
while seen() is not None and len(kept) < 3 * THRESHOLDS[0]:
    kept.append([])
assert seen() is None, "it was not found among three times as many objects as may wait"
print(len(kept))
"""
JOBS_WORKER = """
import gc
from streamapp import bootstrap
from streamapp.garbage import THRESHOLDS

def build(_):
    assert gc.get_freeze_count() == 0, "what is made now would never be looked at"

bootstrap.build_or_leave = build  # all of its start but the app, which needs a broker's name
bootstrap.jobs_app()
assert gc.get_threshold() == THRESHOLDS
assert gc.get_freeze_count() > 50_000
"""


def test_it_is_found_still() -> None:
    """I expect garbage of after that to be found, and not before as many objects were made as are to be."""
    assert 4_000 < int(_ran(FINDS)) < 15_000


def test_a_jobs_worker_looks_rarely() -> None:
    """I expect it to be set once everything that a worker imports is there."""
    _ran(JOBS_WORKER)


def _ran(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
