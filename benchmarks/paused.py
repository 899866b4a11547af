"""The jobs worker with its agents paused: ``faust -A benchmarks.paused worker``, to measure the intake alone.

Faust's flow control begins suspended, and every assignment of partitions resumes it. Here nothing does, so the agents
get no message, while the web views, the store and the producer are those of every worker.
"""

from __future__ import annotations

from typing import Any

__all__ = ["app"]  # noqa: F822 - made when it is asked for


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from streamapp.bootstrap import jobs_app

    app: Any = jobs_app()
    app.flow_control.resume = _stay_suspended
    return app


def _stay_suspended() -> None:
    """Instead of letting messages through."""
