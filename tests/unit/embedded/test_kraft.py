"""The broker's configuration says what the rest of the project relies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.embedded import StartError, kraft
from streamapp.embedded.kraft import Kraft


def node(folder: Path) -> Kraft:
    """A node that is not started."""
    return Kraft(folder, folder / "logs", 19092, 19093, [Path("a.jar"), Path("b.jar")], Path("java"))


def test_properties(tmp_path: Path) -> None:
    """I expect it to listen on this machine only, create no topics by accident, and keep offsets long."""
    values = dict(line.split("=", 1) for line in node(tmp_path).properties().splitlines())
    assert values["listeners"] == "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert values["auto.create.topics.enable"] == "false"
    assert int(values["offsets.retention.minutes"]) > int(values["log.retention.hours"]) * 60
    assert int(values["log.retention.bytes"]) >= int(values["log.segment.bytes"])
    assert values["group.initial.rebalance.delay.ms"] == "0"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "plain"),
        ("with space", "with space"),
        ("größe", "gr\\u00f6\\u00dfe"),
        ("a\\b", "a\\u005cb"),
        ("🎩", "\\ud83c\\udfa9"),
    ],
)
def test_any_path_is_readable_for_java(name: str, expected: str) -> None:
    """I expect java.util.Properties (ISO 8859-1, escapes) to read back the same path."""
    assert kraft._escaped(Path("/x") / name) == f"/x/{expected}"


def test_a_comma_in_the_home_is_refused(tmp_path: Path) -> None:
    """I expect a sentence: log.dirs is a list, and would be cut there."""
    with pytest.raises(StartError, match="comma"):
        node(tmp_path / "a,b").properties()


def test_cluster_ids_are_uuids_and_no_options() -> None:
    """I expect 22 characters that never begin with a dash."""
    ids = {kraft._cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(one) == 22 and one[0].isalpha() for one in ids)
