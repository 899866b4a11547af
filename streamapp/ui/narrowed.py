"""Which jobs the page *Jobs* shows: its query is the one of `GET /v1/jobs`, of which it has two filters as a form.

A form without a script also sends what nobody chose, as empty fields: those count as not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from multidict import MultiMapping

from streamapp.resources import Status, TaskResource
from streamapp.ui.words import status

__all__ = ["FILTERS", "SHOWN", "asked", "listed", "statuses", "task_names"]

FILTERS = ("status", "task")
PLACE = ("cursor", "limit")
SHOWN = 50


def asked(query: MultiMapping[str]) -> dict[str, str]:
    """What the query says of which jobs and which page, each once; names that are nothing here are left out."""
    said = {name: ",".join(filter(None, query.getall(name, []))) for name in (*FILTERS, *PLACE)}
    return {name: value for name, value in said.items() if value}


def listed(query: Mapping[str, str]) -> dict[str, str]:
    """The query of `GET /v1/jobs` whose answer has exactly the jobs that the page shows: by itself it has fewer."""
    return {"limit": str(SHOWN), **query}


def statuses(query: Mapping[str, str]) -> dict[str, str]:
    """What one may choose, with what to call it; with several at once if the address has them."""
    chosen = query.get("status", "")
    single = {each: status(each) for each in get_args(Status)}
    return single | {chosen: ", ".join(single.get(each, each) for each in chosen.split(","))} if chosen else single


def task_names(tasks: Iterable[TaskResource], query: Mapping[str, str]) -> list[str]:
    """What one may choose; with the one that was, if it is not offered any more."""
    return list(dict.fromkeys([*(task.name for task in tasks), *filter(None, [query.get("task")])]))
