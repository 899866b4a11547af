"""streamapp: asynchronous model inference that people can rely on.

``faust -A streamapp worker`` finds `app` here. It is built when asked for: `import streamapp` stays light.
No module may be called ``app``: Faust would find that instead.
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "app"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from streamapp.bootstrap import jobs_app

    return jobs_app()
