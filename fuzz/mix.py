"""Which generators there are, and how many requests each makes."""

from __future__ import annotations

import random
from collections.abc import Mapping

from fuzz.bent import bent
from fuzz.forms import forms
from fuzz.framing import framing
from fuzz.heads import heads
from fuzz.packed import packed
from fuzz.routes import routes
from fuzz.shot import Draw, Shot, Target
from fuzz.slow import slow
from fuzz.words import words

__all__ = ["BY_HAND", "SLOW", "made", "shares"]

BY_HAND: Mapping[str, Draw] = {
    "bent": bent, "forms": forms, "framing": framing, "heads": heads, "packed": packed, "routes": routes,
    "words": words,
}  # fmt: skip
SLOW = "slow"
DESCRIBED_FROM = 10_000  # requests: once round is more than a thousand, and the integration tests have that


def shares(count: int) -> dict[str, int]:
    """How many requests each generator makes of so many."""
    part = {
        "described": count // 10 if count >= DESCRIBED_FROM else 0,
        "drawn": count * 15 // 100,
        SLOW: count // 300,
        "strangers": count // 25 * 2,
    }
    each = (count - sum(part.values())) // len(BY_HAND)
    return {**part, **dict.fromkeys(BY_HAND, each), "bent": count - sum(part.values()) - each * (len(BY_HAND) - 1)}


def made(name: str, number: int, start: int, target: Target) -> Shot:
    """The shot of that name and number: the same for the same seed."""
    draw = slow if name == SLOW else BY_HAND[name]
    return draw(random.Random(f"{start}/{name}/{number}"), target)
