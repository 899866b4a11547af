"""The planted bugs follow the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from chaos.plants import plant
from fuzz.ground import ROOT
from fuzz.plants import PLANTS


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_finds_its_place(name: str, tmp_path: Path) -> None:
    """Each bug can be planted in the package as it is now, and what comes out is Python."""
    folder = plant(name, ROOT / "streamapp", tmp_path, PLANTS)

    for change in PLANTS[name]:
        ast.parse((folder / "streamapp" / change.file).read_text(encoding="utf-8"))
