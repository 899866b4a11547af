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

from streamapp.intake.caller import LOCAL, Caller
from streamapp.operator_resources import Overview
from streamapp.resources import JobList, JobResource, NotificationList, Problem, TaskResource
from streamapp.tasks.said import OWN_CODE
from streamapp.ui import files, words
from streamapp.ui.chosen import DEADLINES, is_option
from streamapp.ui.marks import marks
from streamapp.ui.narrowed import FILTERS, listed, statuses, task_names
from streamapp.ui.options import options, shown
from streamapp.ui.reference import breakable, coded, reference

__all__ = ["CONTENT_SECURITY_POLICY", "Pages", "assets"]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


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
    """All pages. Construct one and keep it: the templates are compiled then and not at a request.

    The `caller` of a page is who sees it: what it may not do is not offered.
    """

    def __init__(self, max_body_bytes: int | None = None, asks_keys: Callable[[], bool] = lambda: False) -> None:
        """Compile the templates. `max_body_bytes` is the most of a document that is let in, when given.

        `asks_keys`: whether a key is asked for now; then the navigation says as whom one is logged in.
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
            words.FILTERS,
            kinds=files.kinds,
            accept=files.accept,
            most=files.most,
            breakable=breakable,
            coded=coded,
            listed=listed,
            options=options,
            shown=shown,
            statuses=statuses,
            task_names=task_names,
        )
        self._environment.tests["option"] = is_option
        self._environment.globals.update(
            asset=_asset,
            active=words.ACTIVE,
            unsettled=words.UNSETTLED,
            own_code=OWN_CODE,
            limit=max_body_bytes,
            asks_keys=asks_keys,
            deadlines=DEADLINES,
        )
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def _render(self, page: str, unread: int, caller: Caller, **values: object) -> str:
        return self._environment.get_template(f"{page}.html").render(page=page, unread=unread, caller=caller, **values)

    def home(
        self,
        jobs: JobList,
        tasks: Sequence[TaskResource],
        unread: int,
        error: Problem | None = None,
        form: Mapping[str, str] | None = None,
        caller: Caller = LOCAL,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Send a book, and the jobs with their progress; `query` says which those are, as `asked` gives it.

        The first of `tasks` is preselected. With an `error` the fields that it names are marked, and `form` (task,
        text, email and options as they were sent) fills them again.
        """
        sent = form or {}
        marked, unmarked = marks(error, next((task for task in tasks if task.name == sent.get("task")), None))
        shown = {"error": error, "form": sent, "marked": marked, "unmarked": unmarked}
        narrowed = any(name in query for name in FILTERS)
        return self._render("home", unread, caller, jobs=jobs, tasks=tasks, query=query, narrowed=narrowed, **shown)

    def job(
        self,
        job: JobResource,
        unread: int,
        caller: Caller = LOCAL,
        *,
        partial: bool = True,
        plot_size: tuple[int, int] | None = None,
    ) -> str:
        """One job: how far it is, or what came of it and where that was delivered.

        `partial`: its task makes a report of what there is, so that a job without a result may lead to that.
        `plot_size`: the pixels of its plot, across and down, where that is known.
        """
        return self._render("job", unread, caller, job=job, partial=partial, plot_size=plot_size)

    def inbox(self, notices: NotificationList, caller: Caller = LOCAL) -> str:
        """The platform's inbox, newest first."""
        return self._render("inbox", notices.unread, caller, notices=notices)

    def agents(self, overview: Overview, unread: int, caller: Caller = LOCAL, *, dead: int = 0) -> str:
        """What runs, how far behind it is and how fast it goes; `dead` letters are open that the caller may see."""
        return self._render("agents", unread, caller, overview=overview, dead=dead)

    def docs(self, document: Mapping[str, Any], unread: int, caller: Caller = LOCAL) -> str:
        """The API, for people who write programs for it."""
        return self._render("docs", unread, caller, reference=reference(document))

    def login(self, after: str, problem: Problem | None = None, caller: Caller | None = None) -> str:
        """Where one logs in, and then comes to the page `after`; and out, if one is in as `caller`."""
        return self._render("login", 0, caller or LOCAL, after=after, problem=problem)

    def problem(self, problem: Problem, unread: int, caller: Caller = LOCAL) -> str:
        """A request that could not be served."""
        return self._render("problem", unread, caller, problem=problem)
