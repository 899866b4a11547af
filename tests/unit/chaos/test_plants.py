"""The planted bugs follow the code, and the list of fail points does."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from chaos import plants, script
from chaos.ground import PREFIX, ROOT
from chaos.plants import PLANTS, Change, PlantLost, plant
from chaos.points import LEFT_OUT, points, writers

PACKAGE = ROOT / "streamapp"


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_finds_its_place(name: str, tmp_path: Path) -> None:
    """Each bug can be planted in the package as it is now, and what comes out is Python."""
    folder = plant(name, PACKAGE, tmp_path)

    for change in PLANTS[name]:
        planted = (folder / "streamapp" / change.file).read_text(encoding="utf-8")
        assert planted != (PACKAGE / change.file).read_text(encoding="utf-8")
        ast.parse(planted)


def test_a_plant_without_its_place_fails_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plant whose text is gone must not test nothing."""
    monkeypatch.setitem(plants.PLANTS, "gone", (Change("flow.py", "this stands nowhere", ""),))

    with pytest.raises(PlantLost, match=r"gone: flow\.py"):
        plant("gone", PACKAGE, tmp_path)


def test_the_points_follow_the_code(tmp_path: Path) -> None:
    """A function that writes is found by the call that passes it, also through `_note`."""
    (tmp_path / "module.py").write_text(
        "async def work(self):\n"
        "    await self._database.write(rows.reserve, 1)\n"
        "    await self.database.write(end)\n"
        "    await self._note(ledger.sent, 2)\n"
        "    file.write(text)\n",
        encoding="utf-8",
    )

    assert writers(tmp_path) == {"reserve", "end", "sent"}


def test_what_is_left_out_is_there() -> None:
    """Nothing is left out under a name that nobody has any more."""
    assert LEFT_OUT.keys() <= writers(PACKAGE)


def test_ten_rounds_hit_each_point_three_times() -> None:
    """The full script has every point of intake, plan, collect, relay and ledger three times, whatever the seed."""
    wanted = points(PACKAGE, PREFIX, ("echo",))

    for seed in range(5):
        scenes = [scene for scenes in script.full(random.Random(seed), wanted, 10) for scene in scenes]
        assert sorted(scene.given for scene in scenes if scene.what == "point") == sorted(wanted * 3)


def test_the_short_round_knows_its_points() -> None:
    """A renamed function would leave a point that nobody comes by."""
    assert set(script.SHORT_POINTS) <= set(points(PACKAGE, PREFIX, ("echo",)))
