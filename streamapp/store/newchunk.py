"""A chunk on its way into the store. It imports no SQL: processes that make chunks ask no store, and stay small."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NewChunk"]


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk as split made it: ``items`` is a JSON array of ``size`` items.

    ``version`` is the predictor's, ``digest`` what the result depends on; without one that is not remembered.
    """

    predictor: str
    chunk: int
    size: int
    items: bytes
    version: str | None = None
    digest: str | None = None
