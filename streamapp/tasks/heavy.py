"""Heavy libraries that come with a task's module: the jobs worker imports it too, and uses them nowhere.

They cost it hundreds of megabytes and seconds at each start, as they cost each process of its workshop. Where they are
imported inside the functions that use them, only those processes have them that call these.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence

__all__ = ["heavy_here", "warn_of"]

logger = logging.getLogger(__name__)

HEAVY = ("jax", "matplotlib.pyplot", "tensorflow", "torch", "transformers")


def heavy_here() -> set[str]:
    """Those that this process has imported."""
    return {name for name in HEAVY if name in sys.modules}


def warn_of(brought: Mapping[str, Sequence[str]]) -> None:
    """Say which task's module has brought which, and where to import them."""
    for module, names in brought.items():
        logger.warning(
            "the task's module %s brings %s into this worker, which uses nothing of it: "
            "import that inside of load, predict or reduce, not at the top",
            module,
            " and ".join(names),
        )
