"""The settings: which are set, and which variables look like one and are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamapp.doctor.finding import Finding, ok
from streamapp.settings import PREFIX, Settings

__all__ = ["judged"]


def judged(environ: Mapping[str, str]) -> Sequence[Finding]:
    """What is to be said of an environment whose settings could be read. Values are not shown: some are secrets."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    named = sorted(name for name in environ if name.startswith(PREFIX))
    unknown = [name for name in named if name not in known]
    given = [name for name in named if name in known]
    found = [ok(f"The settings can be read; set are: {', '.join(given) or 'none, so all are the defaults'}.")]
    if unknown:  # what runs the service may have variables of its own
        found.append(ok(f"These are no settings of streamapp's: {', '.join(unknown)}."))
    return found
