"""Python and the packages: whether what streamapp needs is installed, in versions that it can be used with."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from streamapp import __version__
from streamapp.doctor.finding import Finding, ok, problem, skipped

__all__ = ["check_versions", "judged"]

LEAST_PYTHON = (3, 11)
SHOWN = ("faust-streaming", "aiokafka", "aiohttp", "sqlalchemy", "torch")
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:(>=|==)\s*([0-9][0-9.]*))?")


async def check_versions() -> Sequence[Finding]:
    """Compare what is installed with what this version asks for."""
    if sys.version_info < LEAST_PYTHON:
        return [problem(f"This is Python {platform.python_version()}.", "Use 3.11 or newer.")]
    try:
        wanted = [each for each in requires("streamapp") or [] if "extra ==" not in each]
    except PackageNotFoundError:
        return [skipped("streamapp runs from its source and is not installed, so nothing says what it needs.")]
    installed = [f"{name} {there}" for name in SHOWN if (there := _installed(name))]
    said = f"streamapp {__version__} on Python {platform.python_version()}, with {', '.join(installed)}."
    return list(judged(wanted, _installed)) or [ok(said)]


def judged(wanted: Iterable[str], installed: Callable[[str], str | None]) -> Iterator[Finding]:
    """What is to be said where these requirements (PEP 508) meet what is installed."""
    for requirement in wanted:
        match = REQUIREMENT.match(requirement)
        if match is None:
            continue
        name, how, bound = match.groups()
        there = installed(name)
        if there is None:
            yield problem(f"The package {name} is not installed.", "Install the environment anew: `make install`.")
        elif (how == ">=" and _numbers(there) < _numbers(bound)) or (how == "==" and there != bound):
            yield problem(
                f"The package {name} is {there}, and {how}{bound} is needed.",
                "Install the environment anew: `make install`.",
            )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0]))
