"""Where models run, and with how many threads."""

from __future__ import annotations

import os

from streamapp.errors import ConfigurationError

__all__ = ["pick_device"]


def pick_device(wanted: str, threads: int) -> str:
    """The device for `Predictor.load`: what the settings say, or CUDA when there is one.

    Raises `ConfigurationError` for a device that is not there. A machine without torch can run tasks without torch.
    """
    if wanted == "cpu" and not threads:
        return wanted  # torch's own defaults: a worker whose predictors need no torch never imports it
    try:
        import torch
    except ImportError:
        return "cpu"
    torch.set_num_threads(threads or _cores())
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(f"STREAMAPP_DEVICE is {wanted!r}, which torch can't use here: {error}") from error
    return str(device)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
