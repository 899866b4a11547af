"""The README says what is: its settings, its example, its commands, its links and its dependencies are checked."""

from __future__ import annotations

import configparser
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from streamapp.cli import cli
from streamapp.settings import Settings
from streamapp.tasks.registry import load_registry
from streamapp.trial import run_trial

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]


def section(title: str) -> str:
    """What stands under a heading of the second level."""
    return re.split(r"(?m)^## ", README.partition(f"\n## {title}\n")[2])[0]


def requirements(name: str) -> list[str]:
    """The names in one of the requirements' sources."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-"))]


@pytest.fixture
def settings_table() -> ModuleType:
    """tools/settings_table.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("settings_table", ROOT / "tools" / "settings_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_settings_is_up_to_date(settings_table: ModuleType) -> None:
    """`python tools/settings_table.py` would change nothing."""
    assert settings_table.replaced(README) == README


def test_every_setting_says_what_it_does(settings_table: ModuleType) -> None:
    """None without a description, and each is in the table."""
    assert not [name for name, field in Settings.model_fields.items() if not field.description]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", settings_table.table())) == {
        f"STREAMAPP_{name.upper()}" for name in Settings.model_fields
    }


def test_a_readme_without_markers_is_refused(settings_table: ModuleType) -> None:
    """Instead of being written without the table."""
    with pytest.raises(ValueError, match="needs the lines"):
        settings_table.replaced("# streamapp\n")


def test_variables_that_are_named_exist() -> None:
    """Everywhere in the documents."""
    known = {f"STREAMAPP_{name.upper()}" for name in Settings.model_fields} | {
        "STREAMAPP_TEST_BOOKS",
        "STREAMAPP_TEST_BROKER",
    }
    named = {name for file in DOCUMENTS for name in re.findall(r"STREAMAPP_[A-Z_]+[A-Z]", file.read_text("utf-8"))}
    assert named <= known


def test_the_example_of_a_task_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, the way `streamapp try` runs it."""
    example = re.search(r"```python\n(.+?)```", section("Adding a task"), re.DOTALL)
    assert example is not None
    (tmp_path / "wordcount.py").write_text(example[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wordcount", raising=False)
    text = tmp_path / "text.txt"
    text.write_text("one three\n\n \n\nseventeen", encoding="utf-8")
    settings = Settings(home=tmp_path, tasks=("wordcount:WordCount",), only_tasks=("wordcount",), device="cpu")
    trial = run_trial(settings, "wordcount", text, {"longer_than": 3}, None)
    assert trial.report.text == "2 words. 1 paragraphs are missing: the paragraph is blank."
    assert (trial.items, trial.failed, trial.first) == (3, 1, "the paragraph is blank")


def test_the_commands_exist() -> None:
    """Every command of the table, and every command is in it."""
    assert set(re.findall(r"`streamapp ([a-z-]+)", section("The command"))) == set(cli.commands)


def test_the_tasks_that_are_sent_exist() -> None:
    """What the curl lines name."""
    named = set(re.findall(r"task[=\": ]+([a-z]+)", section("Sending work")))
    assert {"summarize", "echo"} <= named
    assert {name for name in named if name in ("summarize", "echo")} <= set(load_registry())


def test_make_targets_exist() -> None:
    """Every `make x` that a document names."""
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8")))
    named = {
        name for file in DOCUMENTS for name in re.findall(r"`(?:\w+=\S+ )*make ([a-z0-9-]+)", file.read_text("utf-8"))
    }
    assert named
    assert named <= targets


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    """Those into the repository; a link's heading must be there too."""
    for target in re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", file.read_text(encoding="utf-8")):
        path, _, heading = target.partition("#")
        if path.startswith("http"):
            continue
        there = (file.parent / path).resolve() if path else file
        assert there.exists(), target
        if heading:
            titles = re.findall(r"(?m)^#+ (.+)$", there.read_text(encoding="utf-8"))
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_every_dependency_says_what_for() -> None:
    """The table has the names of requirements/run.in, all and only those."""
    rows = re.findall(r"(?m)^\| (?!package|-)([^|]+) \|", section("Dependencies"))
    assert sorted(name for row in rows for name in row.split(", ")) == sorted(
        name.partition("==")[0] for name in requirements("run")
    )


def test_the_package_asks_for_what_is_locked() -> None:
    """setup.cfg names what requirements/run.in does, but what only builds; and the same for the tests."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")

    def names(text: str) -> set[str]:
        return {re.split(r"[><=]=?", line)[0] for line in text.split()}

    assert names(config["options"]["install_requires"]) == names(" ".join(requirements("run"))) - {"setuptools"}
    assert names(config["options.extras_require"]["test"]) == set(requirements("test"))


@pytest.mark.parametrize(("name", "source"), [("run", ("run",)), ("test", ("run", "test")), ("uv", ("uv",))])
def test_the_locks_hold_what_is_named(name: str, source: tuple[str, ...]) -> None:
    """Every name has an exact version with hashes, and no lock says where to fetch from."""
    lock = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    locked = re.findall(r"(?m)^([\w.-]+)==\S+(?: ; .+)? \\\n    --hash=sha256:", lock)
    wanted = {re.split(r"[\[=]", each)[0] for file in source for each in requirements(file)}
    assert wanted <= set(locked)
    assert len(locked) == len(re.findall(r"(?m)^\w", lock))
    assert "://" not in lock
