"""Requests that hypothesis draws: any JSON in any field, any text in any query, any bytes in any body.

hypothesis draws from the seed of its block, so a finding is drawn again with the whole block.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.places import PLACES, Place, filled
from fuzz.routes import NAMES
from fuzz.shot import Shot, Target, bearer, request
from fuzz.words import FIELDS

__all__ = ["BLOCK", "block"]

BLOCK = 250

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=5).map(
        lambda fields: {"task": "echo", "text": "A line.", **fields}
    ),
    st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=6),
    ANY_JSON,
).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
QUERIES = st.lists(st.tuples(st.sampled_from(NAMES), ANY_TEXT), max_size=4).map(
    lambda pairs: urlencode([(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs])
)
SEGMENTS = ANY_TEXT.map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe=""))
HEADERS = st.dictionaries(
    st.sampled_from(("Idempotency-Key", "Prefer", "Accept", "If-None-Match", "Last-Event-ID", "Cookie", "Content-Type",
    "Origin")),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60),
    max_size=2,
)  # fmt: skip


def block(number: int, count: int, start: int, target: Target, send: Callable[[Shot], object]) -> None:
    """Draw so many, and send each. `start` is the run's seed."""

    @seed(f"{start}/drawn/{number}")
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from(PLACES),
        st.randoms(use_true_random=False),
        BODIES | st.binary(max_size=80),
        QUERIES,
        SEGMENTS,
        HEADERS,
    )
    def draw(
        place: Place, chance: random.Random, body: bytes, query: str, segment: str, headers: dict[str, str]
    ) -> None:
        send(_shot(place, chance, target, body, query, segment, headers))

    draw()


def _shot(
    place: Place, chance: random.Random, target: Target, body: bytes, query: str, segment: str, headers: dict[str, str]
) -> Shot:
    path = filled(chance, target, place.path)
    if segment and chance.random() < 0.2:
        path = path.rpartition("/")[0] + "/" + segment
    about: dict[str, str | bytes] = {"Content-Type": place.kind or "text/plain"}
    about.update((name, value.encode("latin-1")) for name, value in headers.items())
    sent = request(
        place.method,
        path + "?" * bool(query) + query,
        [*bearer(chance, target), *about.items()],
        body if place.kind else b"",
        target.host,
    )
    return Shot((sent,), place.path, listens_s=0.4 if place.streams else None)
