"""Commands on the store itself, where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamapp import cli_store
from streamapp.cli_store import open_store
from streamapp.errors import ConfigurationError
from streamapp.settings import Settings


def opened(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Open and close it."""
    monkeypatch.setattr(cli_store, "load_settings", lambda: settings)
    with open_store():
        pass


def test_another_folder_than_the_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """I expect the folder and the setting to be named, and no store to be begun beside the worker's."""
    with pytest.raises(ConfigurationError, match=r"no folder .*elsewhere.* STREAMAPP_HOME"):
        opened(monkeypatch, Settings(home=tmp_path / "elsewhere"))
    assert list(tmp_path.iterdir()) == []


def test_a_new_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """I expect one in a folder that is there: keys are made before a worker starts that asks for them."""
    opened(monkeypatch, Settings(home=tmp_path))
    assert (tmp_path / "streamapp.db").exists()
