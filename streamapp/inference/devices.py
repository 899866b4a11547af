"""Where models run, with how many threads, and what their failures say about the device."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import Any

from streamapp.errors import ConfigurationError

__all__ = ["Device", "is_out_of_memory", "pick_device"]

# torch raises these as a plain RuntimeError
OUT_OF_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")


class Device:
    """The device that a predictor was loaded on, as far as its failures are concerned. Use it where predict runs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def free(self, error: BaseException) -> None:
        """After a failure for lack of memory: let go what its frames still hold, and what torch's allocator caches."""
        following: BaseException | None = error
        while following is not None:
            traceback.clear_frames(following.__traceback__)
            following = following.__cause__ or following.__context__
        gc.collect()
        torch = _cuda_in_use()
        if torch is not None:
            torch.cuda.empty_cache()

    def works(self) -> bool:
        """Whether it still computes. After an illegal access or a failed assertion in a kernel nothing on it does,
        until the process ends: CUDA C Programming Guide, "Error Checking".
        """
        torch = _cuda_in_use()
        if torch is None:
            return True
        try:
            where = self.name if self.name.startswith("cuda") else "cuda"
            return bool(torch.ones(2, device=where).sum().item() == 2)
        except Exception as error:
            return is_out_of_memory(error)  # others may have filled it; that passes


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, on the device or off it."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def _cuda_in_use() -> Any:
    """torch, if this process has begun to use CUDA; it is imported for no other reason than a predictor's."""
    torch: Any = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


# Threads of one product that wait for each other spin, by default for milliseconds (libgomp, GOMP_SPINCOUNT). Where
# others want the cores too, as the jobs worker and the broker do, they spin while one that they wait for has none.
# Beside a busy process the encoder did 291 sentences a second, and 496 with threads that soon sleep; alone as many.
def pick_device(wanted: str, threads: int) -> str:
    """The device for `Predictor.load`: what the settings say, or CUDA when there is one.

    Raises `ConfigurationError` for a device that is not there. A machine without torch can run tasks without torch.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # which torch reads as it is imported
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
