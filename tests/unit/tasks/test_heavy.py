"""What a task's module brings into the jobs worker that only a model or a plot needs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamapp.tasks import heavy
from streamapp.tasks.registry import load_registry

TASK = """
{imports}
from typing import ClassVar
from streamapp.tasks.echo import Echo

class {name}(Echo):
    name: ClassVar[str] = "{module}"
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Heavy libraries that are none, and tasks with and without them."""
    monkeypatch.setattr(heavy, "HEAVY", ("anvil", "anvil.hammer"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "anvil").mkdir()
    for file in ("anvil/__init__.py", "anvil/hammer.py"):
        (tmp_path / file).touch()
    for module, imports in (("light", ""), ("smithy", "import anvil"), ("forge", "import anvil.hammer")):
        text = TASK.format(imports=imports, name=module.title(), module=module)
        (tmp_path / f"{module}.py").write_text(text)
    yield
    for module in ("anvil", "anvil.hammer", "light", "smithy", "forge"):
        sys.modules.pop(module, None)


def brought(*modules: str) -> dict[str, list[str]]:
    """What loading these says."""
    return dict(load_registry([f"{module}:{module.title()}" for module in modules], modules).brought)  # type: ignore[arg-type]


def test_who_brought_what() -> None:
    """I expect each library at the module with which it came, and nothing of a module with which none did."""
    assert brought("light") == {}
    assert brought("light", "smithy", "forge") == {"smithy": ["anvil"], "forge": ["anvil.hammer"]}


def test_several_at_once() -> None:
    """I expect all that came with a module, and no word of another that finds it there."""
    assert brought("forge", "smithy") == {"forge": ["anvil", "anvil.hammer"]}


def test_what_was_there_before() -> None:
    """I expect nothing of what this process has without any task."""
    sys.modules["anvil"] = heavy
    assert brought("smithy") == {}


def test_it_is_said_once_for_each_module(caplog: pytest.LogCaptureFixture) -> None:
    """I expect the module, what it brings, and where to import it."""
    with caplog.at_level(logging.WARNING):
        heavy.warn_of({"forge": ["anvil", "anvil.hammer"]})
    assert caplog.messages == [
        "the task's module forge brings anvil and anvil.hammer into this worker, which uses nothing of it: "
        "import that inside of load, predict or reduce, not at the top"
    ]
