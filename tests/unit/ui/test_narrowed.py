"""The jobs page's filter: what it sends without a script, what it shows as chosen, and what the next pages keep."""

from __future__ import annotations

import re
from html import unescape

import pytest
from multidict import MultiDict

from streamapp.resources import JobList, Problem
from streamapp.ui.narrowed import asked
from streamapp.ui.pages import Pages
from tests.unit.ui.test_pages import a_job, jobs, tasks

PAGES = Pages()


def chosen(html: str) -> list[tuple[str, str]]:
    """The values of the selected options, with their words."""
    return [(unescape(value), words) for value, words in re.findall(r'<option value="([^"]*)" selected>([^<]*)<', html)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([("status", ""), ("task", "")], {}),
        ([("status", "failed"), ("task", ""), ("utm_source", "x")], {"status": "failed"}),
        ([("status", "failed"), ("status", "expired"), ("cursor", "c")], {"status": "failed,expired", "cursor": "c"}),
        ([("task", "echo"), ("limit", "5"), ("cursor", "")], {"task": "echo", "limit": "5"}),
    ],
)
def test_what_is_asked(query: list[tuple[str, str]], said: dict[str, str]) -> None:
    """A field that is left empty asks nothing, nor does a name that a link elsewhere has added."""
    assert asked(MultiDict(query)) == said


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({}, []),
        ({"status": "succeeded"}, [("succeeded", "Ready")]),
        ({"status": "failed,expired", "task": "echo"}, [("failed,expired", "Failed, Expired"), ("echo", "echo")]),
        ({"task": "gone & away"}, [("gone & away", "gone &amp; away")]),
    ],
)
def test_the_form_shows_what_is_chosen(query: dict[str, str], options: list[tuple[str, str]]) -> None:
    """Also what it does not offer by itself: several statuses, and a task that is installed no more."""
    html = PAGES.home(jobs(a_job()), tasks(), 0, query=query)
    assert chosen(html) == options
    assert ('<a href="/#jobs">All jobs</a>' in html) is bool(query)


def test_older_jobs_are_of_the_same_kind() -> None:
    """The link to the next page and what is asked for the bars keep the filter."""
    query = {"status": "running", "task": "a&b", "cursor": "one"}
    html = PAGES.home(jobs(a_job(), cursor="two"), tasks(), 0, query=query)
    assert 'href="/?status=running&amp;task=a%26b&amp;cursor=two#jobs"' in html
    assert 'data-url="/v1/jobs?limit=50&amp;status=running&amp;task=a%26b&amp;cursor=one"' in html


def test_what_is_kept_fresh_is_what_is_shown() -> None:
    """As many jobs as the page has are asked for, also where its address says how many those are."""
    assert 'data-url="/v1/jobs?limit=50"' in PAGES.home(jobs(a_job()), tasks(), 0)
    assert 'data-url="/v1/jobs?limit=5"' in PAGES.home(jobs(a_job()), tasks(), 0, query={"limit": "5"})


def test_what_answers_a_form_says_where_its_list_is() -> None:
    """It stands at the form's address, which the script cannot ask; any other page is asked where it stands."""
    problem = Problem(title="No", status=422, detail="No")
    refused = PAGES.home(jobs(a_job()), tasks(), 0, problem, {})
    part = refused.index("data-part", refused.index('id="jobs"'))
    assert refused.index('data-page="/"') < part  # not in the part itself, which a fresh one replaces
    narrowed = PAGES.home(jobs(a_job()), tasks(), 0, problem, {}, query={"status": "running", "task": "a&b"})
    assert 'data-page="/?status=running&amp;task=a%26b"' in narrowed
    assert "data-page" not in PAGES.home(jobs(a_job()), tasks(), 0)


def test_nothing_is_found() -> None:
    """It is said, with a way to all; who has no job at all is told how to begin, and has nothing to choose from."""
    nothing = JobList(items=[], next=None)
    found = PAGES.home(nothing, tasks(), 0, query={"status": "failed"})
    assert 'No job is like that. <a href="/#jobs">Show all jobs</a>' in found
    assert "No jobs yet" not in found
    assert 'class="filter"' in found
    begun = PAGES.home(nothing, tasks(), 0)
    assert "No jobs yet" in begun
    assert 'class="filter"' not in begun
