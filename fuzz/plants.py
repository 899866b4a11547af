"""Bugs to plant, one at a time, that a run must find: how we know that a quiet one means something."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.plants import Change

__all__ = ["PLANTS", "SHOWS"]

FIND = "        now = time.monotonic()\n        entry = self._entries.get(identity)\n"

PLANTS: Mapping[str, tuple[Change, ...]] = {
    # one input that nobody thought of
    "raises": (
        Change("intake/jsontext.py", "    value = _load(raw, field, STRICT)\n",
        "    value = _load(raw, field, STRICT)\n    if value == {}:\n        raise KeyError(field)\n"),
    ),
    # 100 kB for each request with a key
    "leaks": (
        Change("intake/keyring.py", FIND,
        FIND + "        self.__dict__.setdefault('_kept', []).append(bytearray(100_000))\n"),
    ),
    # what is another tenant's is found, and only then refused
    "tells": (
        Change("intake/results.py", "jobs.find, caller_of(request).tenant, known(job_id)",
        "jobs.find, 'carol', known(job_id)"),
    ),
}  # fmt: skip

#: The promise that each breaks, as the table calls it: a run that fails for another reason has not found it.
SHOWS = {
    "raises": "no 5xx",
    "leaks": "less than 1 MB of growth per 10,000 requests",
    "tells": "nothing was found",
}
