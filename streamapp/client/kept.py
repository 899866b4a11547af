"""Reports and files that were read before: asked for again by their tag, and sent again only when they have changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar, cast

import httpx

from streamapp.client.calls import Call, as_json, job_path
from streamapp.resources import ReportResource

__all__ = ["Kept"]

T = TypeVar("T")

UNCHANGED = 304
MOST = 16


class Kept:
    """The last few, each with its ETag (RFC 9110, 8.8.3)."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[str, object]] = OrderedDict()

    def report(self, job_id: str) -> Call[ReportResource]:
        """A job's report."""
        return self._call(f"{job_path(job_id)}/report", "application/json", as_json(ReportResource))

    def partial(self, job_id: str) -> Call[ReportResource]:
        """A report on what there is so far."""
        return self._call(f"{job_path(job_id)}/partial", "application/json", as_json(ReportResource))

    def plot(self, job_id: str) -> Call[bytes]:
        """The report's plot."""
        return self._call(f"{job_path(job_id)}/plot", "*/*", lambda answer: answer.content)

    def attachment(self, job_id: str, number: int) -> Call[bytes]:
        """One of the report's attachments."""
        return self._call(f"{job_path(job_id)}/attachments/{number}", "*/*", lambda answer: answer.content)

    def _call(self, path: str, accept: str, read: Callable[[httpx.Response], T]) -> Call[T]:
        tag, known = self._known.get(path, ("", None))

        def keep(answer: httpx.Response) -> T:
            if answer.status_code == UNCHANGED:
                return cast(T, known)
            value = read(answer)
            if "ETag" in answer.headers:
                self._known[path] = (answer.headers["ETag"], value)
                self._known.move_to_end(path)
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
            return value

        headers = {"Accept": accept} | ({"If-None-Match": tag} if tag else {})
        return Call("GET", path, keep, headers=headers, fine=(UNCHANGED,) if tag else ())
