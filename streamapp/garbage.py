"""How often Python looks for garbage: what is in reference cycles, which nothing else frees.

By default it does so for every 700 objects that were made and not freed yet, and at a part of those times through
everything that the process ever made, imports included. In a worker that takes requests all day that was a tenth of its
processor time, and what it found was next to nothing.
"""

from __future__ import annotations

import gc

__all__ = ["look_less"]

#: New objects before the young ones are looked through, and how many such times before older ones are. They bound how
#: much garbage can wait: the objects of some dozens of requests.
THRESHOLDS = (5_000, 20, 10)


def look_less() -> None:
    """Look for it rarely from now on, and never through what is there already: call it when all is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
