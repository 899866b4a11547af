"""Which of the media types that there are a client wants most (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["chosen"]


def chosen(header: str | None, offered: Sequence[str]) -> str | None:
    """The best of `offered` by the header `Accept`, the first of equals; None when it takes none of them.

    A range that makes no sense is ignored, and without any that does each is as good as another.
    """
    ranges = [found for each in (header or "").split(",") if (found := _range(each)) is not None]
    if not ranges:
        return offered[0]
    weights = [(_weight(kind, ranges), -at) for at, kind in enumerate(offered)]
    best, at = max(weights)
    return offered[-at] if best > 0 else None


def _range(text: str) -> tuple[str, float] | None:
    kind, *parameters = (part.strip() for part in text.lower().split(";"))
    if kind.count("/") != 1:
        return None
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return kind, min(1.0, max(0.0, float(weight)))
    except ValueError:
        return None


def _weight(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """By the most specific range that holds it."""
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if found := [weight for name, weight in ranges if name == wanted]:
            return max(found)
    return 0.0
