"""The fail points of the way from the intake to the mail, read from the code itself, and what brings a worker to each.

A write to the store is a call of ``write`` or ``note`` on a database (or of ``_note``, which repeats one) with the
function that writes, so the list of points follows the code. What this run can't or need not reach is named here, with
its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LEFT_OUT", "points", "writers"]

#: Functions that write and whose points are no part of this run.
LEFT_OUT = {
    "park": "the run's policy for e-mails in doubt is to send again",
    "redriven": "an operator's",
    "_revive": "an operator's",
    "discard": "an operator's",
    "discard_letters": "an operator's, for many letters at once",
    "note_redriven": "an operator's, for many letters at once",
    "mark_read": "a reader's",
    "mark_all_read": "a reader's",
    "_mark": "a reader's",
    "enter_all": "an operator's rewind",
    "park_under_way": "an operator's rewind",
    "speak_for": "an operator's rewind",
    "remove": "removes what ended long ago",
    "forget": "only a broker that lost messages leads there, and what was removed long ago",
    "cancel_all": "an admin's, for many jobs at once",
    "retry_all": "an admin's, for many jobs at once",
    "again": "a client's who asks for another run; the load asks for none",
    "log_in": "no keys are asked for here",
    "revoke": "no keys are asked for here",
    "used": "no keys are asked for here",
    "store_id": "written once, at the first start of all",
    "release": "only a worker that stops in order gives its lease back",
}

TOPICS = ("inference", "results", "email", "notification", "webhook", "beats", "dead-letter")
OTHERS = ("mail.before", "mail.after", "webhook.before", "webhook.after", "blob.before", "blob.after")


def points(package: Path, prefix: str, predictors: tuple[str, ...]) -> list[str]:
    """Every point of the run, by name; `prefix` is the topics', `predictors` are those whose chunks it sends."""
    topics = [*TOPICS, *(f"chunks.{name}" for name in predictors)]
    stores = [f"store.{when}.{name}" for name in sorted(writers(package) - LEFT_OUT.keys()) for when in _SIDES]
    sends = [f"send.{when}.{prefix}{topic}" for topic in topics for when in _SIDES]
    return [*stores, *sends, *OTHERS]


_SIDES = ("before", "after")


def writers(package: Path) -> set[str]:
    """The names of the functions that the package's modules pass to ``write``, ``note`` and ``_note``."""
    found: set[str] = set()
    for file in package.rglob("*.py"):
        if "migrations" not in file.parts:
            found.update(_writers(ast.parse(file.read_text(encoding="utf-8"))))
    return found


def _writers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        on_database = node.func.attr in ("write", "note") and "database" in ast.unparse(node.func.value)
        if on_database or node.func.attr == "_note":
            yield from _name(node.args[0])


def _name(given: ast.expr) -> Iterator[str]:
    """The function's name; a parameter's (`settle`) says nothing, its callers do."""
    if isinstance(given, ast.Attribute) and given.attr != "_note":
        yield given.attr
    elif isinstance(given, ast.Name) and given.id != "settle":
        yield given.id
