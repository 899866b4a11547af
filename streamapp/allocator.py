"""What large bodies took of memory goes back to the system.

glibc takes large pieces of memory from the system one by one and gives each back when it is freed; but each that is
freed raises the size from which it does so, up to 32 MiB. From then on large bodies lie on the heap between small
things that stay, and what is free below those is never given back: a worker grows by the largest bodies that ever came
together, in each of its arenas. With thresholds that were set, they stay (mallopt(3)).

Not for a model worker: tensors come and go all the time, and taking their memory anew would cost more than computing.
It gives back once what loading took: weights as they were read, and in another precision than the one that was chosen.
"""

from __future__ import annotations

import ctypes

__all__ = ["give_back", "give_back_now"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KiB = 1024
WANTED = {M_MMAP_THRESHOLD: 256 * KiB, M_TRIM_THRESHOLD: 512 * KiB, M_ARENA_MAX: 2}


def give_back() -> bool:
    """Set it for this process. Whether that was possible: elsewhere than with glibc it is not, and not needed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all([mallopt(option, value) == 1 for option, value in WANTED.items()])


def give_back_now() -> bool:
    """What is free in all arenas goes back to the system, once. Whether there was any, and that was possible."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return malloc_trim is not None and malloc_trim(0) == 1
