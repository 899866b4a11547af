"""How settings are written: a list as people write one, and sizes."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

__all__ = ["MiB", "Names"]

MiB = 1024 * 1024


def _list(value: Any) -> Any:
    """A list as people write it: comma separated, or JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"it begins like a JSON list and is none: {error}") from error
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_list)]
