"""The pages: what the API shows, as HTML for people. They decide nothing and ask nobody: resources in, text out.

Everything is readable and can be sent without JavaScript; the one script only keeps what is shown fresh. No page
holds an inline script or style, so that `CONTENT_SECURITY_POLICY` can be strict.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from streamapp.resources import FieldProblem, JobList, JobResource, NotificationList, Overview, Problem, TaskResource
from streamapp.ui import files, words
from streamapp.ui.reference import breakable, reference

__all__ = ["CONTENT_SECURITY_POLICY", "Pages", "assets"]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}

FIELDS = {"task": "task", "text": "text", "document": "file", "file": "file", "media_type": "file", "email": "email"}


@functools.cache
def assets() -> Mapping[str, tuple[bytes, str]]:
    """Each asset's bytes and media type by its name, read once from the package."""
    files = (each for each in resources.files("streamapp.ui").joinpath("assets").iterdir() if each.is_file())
    return MappingProxyType(
        {
            each.name: (each.read_bytes(), MEDIA_TYPES[suffix])
            for each in sorted(files, key=lambda file: file.name)
            if (suffix := each.name.rpartition(".")[2]) in MEDIA_TYPES
        }
    )


def _asset(name: str) -> str:
    """The address of an asset; it changes with the content, so that it may be cached for ever."""
    return f"/assets/{name}?v={hashlib.sha256(assets()[name][0]).hexdigest()[:12]}"


class Pages:
    """All pages. Construct one and keep it: the templates are compiled then and not at a request."""

    def __init__(self, max_body_bytes: int | None = None, asks_keys: Callable[[], bool] = lambda: False) -> None:
        """Compile the templates. `max_body_bytes` is the most of a document that is let in, when given.

        `asks_keys`: whether a key is asked for now; then there is a way to the page where one logs in and out.
        """
        self._environment = Environment(
            loader=PackageLoader("streamapp.ui"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            words.FILTERS, kinds=files.kinds, accept=files.accept, most=files.most, breakable=breakable
        )
        self._environment.globals.update(
            asset=_asset, active=words.ACTIVE, unsettled=words.UNSETTLED, limit=max_body_bytes, asks_keys=asks_keys
        )
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def _render(self, page: str, unread: int, **values: object) -> str:
        return self._environment.get_template(f"{page}.html").render(page=page, unread=unread, **values)

    def home(
        self,
        jobs: JobList,
        tasks: Sequence[TaskResource],
        unread: int,
        error: Problem | None = None,
        form: Mapping[str, str] | None = None,
    ) -> str:
        """Send a book, and the jobs with their progress.

        The first of `tasks` is preselected. With an `error` the fields that it names are marked, and `form` (task,
        text, email as they were sent) fills them again.
        """
        marked: dict[str, list[str]] = {}
        unmarked: list[FieldProblem] = []
        for each in error.errors if error else ():
            if field := FIELDS.get(each.field.split(".")[0]):
                marked.setdefault(field, []).append(each.detail)
            else:
                unmarked.append(each)
        shown = {"error": error, "form": form or {}, "marked": marked, "unmarked": unmarked}
        return self._render("home", unread, jobs=jobs, tasks=tasks, **shown)

    def job(self, job: JobResource, unread: int) -> str:
        """One job: how far it is, or what came of it and where that was delivered."""
        return self._render("job", unread, job=job)

    def inbox(self, notices: NotificationList) -> str:
        """The platform's inbox, newest first."""
        return self._render("inbox", notices.unread, notices=notices)

    def agents(self, overview: Overview, unread: int) -> str:
        """What runs, how far behind it is and how fast it goes."""
        return self._render("agents", unread, overview=overview)

    def docs(self, document: Mapping[str, Any], unread: int) -> str:
        """The API, for people who write programs for it."""
        return self._render("docs", unread, reference=reference(document))

    def login(self, after: str, problem: Problem | None = None, *, is_in: bool = False) -> str:
        """Where one logs in, and then comes to the page `after`; and out, if one `is_in`."""
        return self._render("login", 0, after=after, problem=problem, is_in=is_in)

    def problem(self, problem: Problem, unread: int) -> str:
        """A request that could not be served."""
        return self._render("problem", unread, problem=problem)
