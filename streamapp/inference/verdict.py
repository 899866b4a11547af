"""What becomes of a chunk's items after workers have died with some of them in work: a pure decision.

Most go the usual way; suspects are computed alone, likeliest first; and some are given up. A run of which several items
are guilty is given up as a whole: it is not the items then, and what is left of it would end one worker after the other
for hours, with everybody's chunks behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streamapp.inference.suspects import Suspect, Suspects
from streamapp.models import Chunk

__all__ = ["GUILTY_ITEMS", "LONE_DEATHS", "Verdict", "verdict_of"]

LONE_DEATHS: Final = 3
"""Workers that died with an item alone in work, before it is taken to be what ended them."""
GUILTY_ITEMS: Final = 3
"""Items of a run, for one predictor, before the rest is not tried any more."""


class Verdict(NamedTuple):
    """Places in a chunk: those for the next batches, those to be computed alone, and why some are given up."""

    usual: Sequence[int]
    alone: Sequence[int]
    given_up: Mapping[int, str]


def verdict_of(suspects: Suspects, chunk: Chunk) -> Verdict:
    """The verdict by what is known now."""
    mine = suspects.of(chunk)
    given_up = {place: _why(each) for place, each in mine.items() if each.lone_deaths >= LONE_DEATHS}
    guilty = sum(deaths >= LONE_DEATHS for deaths in suspects.lone_deaths_of_run(chunk).values())
    if guilty >= GUILTY_ITEMS:
        rest = f"not tried, since the model ended {LONE_DEATHS} times on each of {guilty} other parts of this job alone"
        return Verdict((), (), dict.fromkeys(range(len(chunk.items)), rest) | given_up)
    usual = [place for place in range(len(chunk.items)) if place not in mine]
    alone = sorted(mine.keys() - given_up, key=lambda place: -mine[place].lone_deaths)
    return Verdict(usual, alone, given_up)


def _why(suspect: Suspect) -> str:
    return f"the model ended {suspect.lone_deaths} times while it worked on this part alone ({suspect.why})"
