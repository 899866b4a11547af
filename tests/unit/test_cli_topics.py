"""How `streamapp topics` counts: partitions, and for how long messages are kept."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from streamapp import cli as command
from streamapp import topics
from streamapp.cli_values import counted, lasting
from streamapp.settings import Settings


def test_one_and_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect one partition, several, none where a topic is missing, and hours of what is kept for less than a day."""

    async def survey(settings: Settings, predictors: Any) -> dict[str, int]:
        return {spec.name: spec.partitions or 4 for spec in topics.specs(settings, predictors)[:-1]}

    monkeypatch.setattr(topics, "survey", survey)
    monkeypatch.setattr(command, "with_broker", lambda settings: settings)
    monkeypatch.setattr(command, "load_settings", lambda: Settings(only_tasks=("echo",)))
    ran = CliRunner().invoke(command.cli, ["topics"])
    lines = {line.split()[0].partition(".")[2]: " ".join(line.split()[1:]) for line in ran.stdout.splitlines()}
    assert ran.exit_code == 1
    assert lines["beats"] == "1 partition kept 1 day"
    assert lines["cancels"] == "1 partition kept 1 hour"
    assert "4 partitions kept 7 days" in lines.values()
    assert any(line.startswith("missing kept") for line in lines.values())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (90, "1 minute"), (7200, "2 hours"), (86400, "1 day"), (129600, "1 day")],
)
def test_how_long(seconds: float, words: str) -> None:
    """In the largest unit of which there is one."""
    assert lasting(seconds) == words
    assert counted(2, "attempt") == "2 attempts"
