"""The routes that there are, from the table that the worker itself registers: for tests that no new one may escape."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

from streamapp.intake.openapi import template_of
from streamapp.paths import Jobs, api_routes, page_routes

__all__ = ["every_route"]


def every_route() -> set[tuple[str, str]]:
    """Each method, in capitals, with its path; ``{name}`` stands for what varies."""
    some: Any = MagicMock()
    jobs = Jobs(some, some, some, some, some, some, some)
    routes = api_routes(some, jobs, some, some, some) + page_routes(some, some, {})
    return {(method.upper(), template_of(route.path)) for route in routes for method in route.methods}
