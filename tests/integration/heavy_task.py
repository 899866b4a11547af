"""A task whose module imports at its top what only its `reduce` would need."""

from __future__ import annotations

from typing import ClassVar

import matplotlib.pyplot as plt

from streamapp.tasks.echo import Echo

__all__ = ["Heavy"]


class Heavy(Echo):
    """Echoes, and draws nothing."""

    name: ClassVar[str] = "heavy"
    backend: ClassVar[str] = plt.get_backend()
