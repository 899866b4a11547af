"""What the README has a Flask site install is what the blueprint imports: no less, and no more."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires

import pytest

from tests.unit.test_readme import requirements, section

NAMES = """
import sys
before = set(sys.modules)  # some packages are imported with Python itself
from streamapp.intake.flask import blueprint
from streamapp.tasks.registry import load_registry
load_registry(())
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""


def canonical(name: str) -> str:
    """As packages are compared by name (PEP 503), without extras, versions and markers."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", name)[0]).lower()


def with_theirs(names: set[str]) -> set[str]:
    """These, and what comes with them."""
    found: set[str] = set()
    while names:
        found |= names
        names = {canonical(each) for name in names for each in _required(name)} - found
    return found


def _required(name: str) -> Iterator[str]:
    return (each for each in requires(name) or () if "extra ==" not in each and ";" not in each)


@pytest.fixture(scope="module")
def listed() -> set[str]:
    """What the README has a site install by name."""
    (names,) = re.findall(r"(?m)^pip install ([a-z].*)$", section("In a Flask site"))
    return {canonical(name) for name in names.split()}


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Which of the dependencies the blueprint and the tasks import."""
    ran = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=True)
    of = packages_distributions()
    found = {canonical(each) for name in ran.stdout.split() for each in of.get(name, ())}
    return found & {canonical(name) for name in requirements("run")}


def test_a_site_needs_no_more(listed: set[str], imported: set[str]) -> None:
    """I expect each of those that are imported to be there, if only because another needs it."""
    assert imported - with_theirs(listed) == set()


def test_a_site_installs_nothing_in_vain(listed: set[str], imported: set[str]) -> None:
    """I expect each to be imported."""
    assert listed - imported == set()
