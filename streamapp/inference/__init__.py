"""The model worker's own Faust app: ``faust -A streamapp.inference worker``, here or on any machine beside."""

from __future__ import annotations

from typing import Any

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from streamapp.inference.bootstrap import inference_app

    return inference_app()
