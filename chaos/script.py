"""What happens when: a script drawn from a seed, so that a run that found something can be run again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chaos.ground import PREFIX
from chaos.smtp import MODES

__all__ = ["TIMES", "Scene", "full", "points_of", "short"]

DOUBLED = ("email", "results", "inference", "notification", "webhook")
TIMES, IN_ROUNDS = 3, 10  # each point so often in so many rounds


class Scene(NamedTuple):
    """One attack: its method's name in `chaos.attacks.Attacks`, and what it is given."""

    what: str
    given: str = ""

    @property
    def aside(self) -> bool:
        """Whether the next attack begins while this one lasts."""
        return self.what in ("mail", "lock", "spoil")


SHORT = (
    Scene("double", "email"),
    Scene("point", "store.after.reserve_all"),
    Scene("lock_and_kill"),
    Scene("mail", "drop-kept"),
    Scene("kill", "model"),
)
SHORT_POINTS = (
    "blob.after",
    "store.after.jobs_published",
    "store.before._begin_and_take_off",
    "store.after.keep_result",
    "store.after._finish",
    "store.before._notify",
    "store.after.claim",
    "store.after.sent",
    "mail.after",
    "webhook.after",
    f"send.after.{PREFIX}email",
    f"send.before.{PREFIX}results",
    f"send.after.{PREFIX}chunks.echo",
)


def full(chance: random.Random, points: Sequence[str], rounds: int) -> list[list[Scene]]:
    """Rounds with their part of every point `TIMES` over, a kill of each process, and everything else in turn."""
    deck = [point for _ in range(TIMES) for point in chance.sample(points, len(points))]
    each = -(-len(deck) // IN_ROUNDS)
    modes = [mode for _ in range(-(-rounds * 3 // len(MODES))) for mode in chance.sample(MODES, len(MODES))]
    script = []
    for number in range(rounds):
        scenes = [Scene("point", point) for point in deck[number * each : (number + 1) * each]]
        scenes += [Scene("kill", who) for who in ("worker", "model", "clerk", "broker")]
        scenes += [Scene("mail", mode) for mode in modes[number * 3 : number * 3 + 3]]
        scenes += [Scene("lock", f"{chance.uniform(1, 15):.1f}"), Scene("spoil")]
        scenes.append(Scene("double", DOUBLED[number % len(DOUBLED)]))
        scenes.append(Scene("freeze", "13") if number % 2 else Scene("lock_and_kill"))
        chance.shuffle(scenes)
        script.append(scenes)
    return script


def short(chance: random.Random, *, core: bool = False) -> list[Scene]:
    """One round of some two minutes: what a bug in any one guarantee meets, and (not in its core) more in any order."""
    if core:
        return list(SHORT)
    points = [Scene("point", point) for point in SHORT_POINTS]
    kills = [Scene("kill", who) for who in ("worker", "clerk")]
    rest = [*points, *kills, Scene("mail", "421-mail"), Scene("mail", "hang-kept"), Scene("spoil")]
    chance.shuffle(rest)
    return [*SHORT, Scene("kill", "broker"), *rest]


def points_of(script: Iterable[Sequence[Scene]]) -> dict[str, int]:
    """The points that a script wants hit, and how often each; no Counter, whose pairs `asdict` would count."""
    return dict(Counter(scene.given for scenes in script for scene in scenes if scene.what == "point"))
