"""The short round asks for what there is."""

from __future__ import annotations

import random

import pytest

from chaos.ground import PREFIX, ROOT
from chaos.points import points
from chaos.script import Scene, points_of, short


@pytest.mark.parametrize("core", [False, True])
def test_its_points_are_in_the_code(core: bool) -> None:
    """I expect no point that nobody comes by, because the function behind it has another name by now."""
    there = points(ROOT / "streamapp", PREFIX, ("echo", "all-minilm-l6-v2"))
    asked = [scene.given for scene in short(random.Random(1), core=core) if scene.what == "point"]
    assert asked
    assert set(asked) <= set(there)


def test_how_often_a_script_wants_each_point() -> None:
    """Over all of its rounds; other attacks are no points."""
    script = [[Scene("point", "mail.after"), Scene("kill", "worker")], [Scene("point", "mail.after"), Scene("spoil")]]

    assert points_of(script) == {"mail.after": 2}
    assert type(points_of(script)) is dict  # it is written as JSON at the end of an hour
