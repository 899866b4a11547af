"""What large bodies took of memory goes back to the system, and what batches take stays.

glibc takes large pieces of memory from the system one by one and gives each back when it is freed; but each that is
freed raises the size from which it does so, up to 32 MiB. From then on large bodies lie on the heap between small
things that stay, and what is free below those is never given back: a worker grows by the largest bodies that ever came
together, in each of its arenas. With thresholds that were set, they stay (mallopt(3)).

A model worker is the other way round: the tensors of each batch come and go, and taking their memory anew, page by
page, was a twentieth of its time. It gives back once what loading took (weights as they were read, and in another
precision than the one that was chosen), and from then on it keeps what a batch took for the next one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

__all__ = ["give_back", "give_back_now", "keep"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KiB, MiB = 1024, 1024 * 1024
GIVING = {M_MMAP_THRESHOLD: 256 * KiB, M_TRIM_THRESHOLD: 512 * KiB, M_ARENA_MAX: 2}
KEEPING = {M_MMAP_THRESHOLD: 32 * MiB, M_TRIM_THRESHOLD: 256 * MiB}  # the first is the greatest that glibc takes


def give_back() -> bool:
    """Set it for this process. Whether that was possible: elsewhere than with glibc it is not, and not needed."""
    return _set(GIVING)


def give_back_now() -> bool:
    """What is free in all arenas goes back to the system, once. Whether there was any, and that was possible."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return malloc_trim is not None and malloc_trim(0) == 1


def keep() -> bool:
    """Have this process keep up to 256 MiB that is free in each of its arenas. Whether that was possible."""
    return _set(KEEPING)


def _set(options: Mapping[int, int]) -> bool:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all([mallopt(option, value) == 1 for option, value in options.items()])
