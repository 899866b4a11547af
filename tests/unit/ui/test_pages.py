"""The pages as a browser, a screen reader and an attacker meet them."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from streamapp.intake.caller import LOCAL, Caller
from streamapp.operator_resources import AgentResource, Overview, PartitionResource, WorkerResource
from streamapp.resources import (
    DeliveryResource,
    FieldProblem,
    FileResource,
    JobList,
    JobResource,
    NotificationList,
    NotificationResource,
    Problem,
    Progress,
    ReportResource,
    TaskResource,
)
from streamapp.tasks.said import OWN_CODE
from streamapp.ui import words
from streamapp.ui.pages import Pages, assets
from streamapp.ui.reference import breakable, coded

PAGES = Pages(max_body_bytes=32 * 1024 * 1024)
GUARDED = Pages(asks_keys=lambda: True)
ANNA = Caller("anna", frozenset(("submit", "read")), "key-1", name="laptop")
CHIEF = Caller("default", frozenset(("submit", "read", "admin")), "key-2", name="operations")
NOON = datetime(2025, 5, 12, 12, tzinfo=UTC)
EVIL = "\"'><script>alert(1)</script>{{ 7 * 7 }}"
VOID = {"meta", "link", "input", "img", "br", "hr", "path", "circle", "rect"}


class Tree(HTMLParser):
    """Every element with its attributes, and whether each end tag closes what was open."""

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        assert len(attrs) == len(dict(attrs)), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the element that is open."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        """The attributes of each element with one of these tags."""
        return [attributes for tag, attributes in self.elements if tag in tags]


def a_job(**changes: Any) -> JobResource:
    """A job that runs, but for the changes."""
    values: dict[str, Any] = {
        "id": "0b9e7c1a-5f0e-4f5c-9a51-7bb7f5d1a001",
        "task": "summarize",
        "name": "sherlock.txt",
        "status": "running",
        "progress": Progress(done=25, total=100),
        "position": None,
        "eta_s": 143.0,
        "created_at": NOON,
        "started_at": NOON,
        "finished_at": None,
        "report": None,
        "deliveries": [],
        "error": None,
    }
    return JobResource(**(values | changes))


def a_delivery(**changes: Any) -> DeliveryResource:
    """A sent e-mail, but for the changes."""
    values: dict[str, Any] = {
        "id": "d1",
        "job_id": "j1",
        "kind": "email",
        "recipient": "mary@example.org",
        "state": "sent",
        "attempts": 1,
        "last_error": None,
        "next_attempt_at": None,
        "sent_at": NOON,
    }
    return DeliveryResource(**(values | changes))


def a_report(**changes: Any) -> ReportResource:
    """A report with a plot and a file, but for the changes."""
    plot = FileResource(name="arc.png", media_type="image/png", size=84_000, href="/v1/jobs/x/plot")
    values: dict[str, Any] = {
        "subject": "Summary of Sherlock",
        "text": "To him she is always the woman.",
        "html": "<h2>Chapter 1</h2><p>To him she is always <em>the</em> woman.</p>",
        "data": {},
        "plot": plot,
        "plot_alt": "The tone falls, then rises.",
        "attachments": [FileResource(name="s.csv", media_type="text/csv", size=9, href="/v1/jobs/x/files/s.csv")],
    }
    return ReportResource(**(values | changes))


def jobs(*items: JobResource, cursor: str | None = None) -> JobList:
    """A page of jobs."""
    return JobList(items=list(items), next=cursor)


def tasks(name: str = "summarize") -> list[TaskResource]:
    """Two tasks."""
    return [
        TaskResource(name=each, summary=f"About {each}.", accepts=["text/plain"], params={}) for each in (name, "echo")
    ]


def choosing(text: str) -> TaskResource:
    """A task with a parameter of each kind, and that text wherever its author may have written something."""
    said: dict[str, Any] = {"description": text, "title": text}
    fields = {
        f"{text}1": {"type": "integer", "default": 3, "minimum": 1, "maximum": 10} | said,
        f"{text}2": {"type": "boolean", "default": True} | said,
        f"{text}3": {"enum": ["a", text, 1, None], "default": text} | said,
        f"{text}4": {"type": "string", "default": text, "maxLength": 99} | said,
        f"{text}5": {"type": "array", "default": [text]} | said,
    }
    params = {"type": "object", "properties": fields, "required": [f"{text}4"]}
    return TaskResource(name=text, summary=text, accepts=["text/plain"], params=params)


def an_agent(*lags: int, **changes: Any) -> AgentResource:
    """An agent with these lags."""
    parts = [PartitionResource(partition=n, committed=5, end=5 + lag, lag=lag) for n, lag in enumerate(lags)]
    values: dict[str, Any] = {
        "name": "plan",
        "group": "streamapp",
        "topic": "streamapp.inference",
        "partitions": parts,
        "lag": sum(lags),
        "rate": 12.5,
    }
    return AgentResource(**(values | changes))


def a_notice(**changes: Any) -> NotificationResource:
    """An unread message."""
    values: dict[str, Any] = {
        "id": 7,
        "job_id": "x",
        "event": "succeeded",
        "title": "Summary",
        "body": "It is ready.",
        "created_at": NOON,
        "read_at": None,
    }
    return NotificationResource(**(values | changes))


def everything(text: str) -> dict[str, str]:
    """Each page in its fullest state, with `text` wherever a stranger's text can stand."""
    ends = {"started_at": NOON, "finished_at": NOON + timedelta(seconds=200)}
    deliveries = [
        a_delivery(id=state, state=state, recipient=text, last_error=text, next_attempt_at=NOON)
        for state in ("pending", "sending", "sent", "parked", "dead")
    ]
    file = FileResource(name=text, media_type=text, size=1, href="/v1/jobs/x/files/1")
    report = a_report(subject=text, text=text, html=None, plot=file, plot_alt=text, attachments=[file])
    worker = WorkerResource(id="w", host=text, pid=1, device=text, predictors=[text], items=3, rate=None, seen_s=75.0)
    problem = Problem(title=text, status=422, detail=text, errors=[FieldProblem(field="text", detail=text)])
    other = Problem(title=text, status=422, detail=text, errors=[FieldProblem(field=text, detail=text)])
    states = ("queued", "running", "succeeded", "failed", "cancelled", "expired")
    listed = [a_job(id=f"{text}{state}", name=text, task=text, status=state, error=text) for state in states]
    form = {"text": text, "email": text, "task": text}
    fields = [f"params.{text}{number}" for number in range(1, 6)]
    refused = Problem(
        title=text, status=422, detail=text, errors=[FieldProblem(field=each, detail=text) for each in fields]
    )
    chosen = form | {f"option.{text}": "shown"} | {f"option.{text}.{text}{number}": text for number in range(1, 6)}
    caller = Caller(text, frozenset(("read", "admin")), "key-1", name=text)
    return {
        "home": PAGES.home(jobs(*listed, cursor=text), tasks(text), 3, problem, form),
        "home with options": PAGES.home(jobs(), [choosing(text), *tasks()], 0),
        "home, wrong options": PAGES.home(jobs(), [*tasks(), choosing(text)], 0, refused, chosen),
        "home to read": GUARDED.home(jobs(), tasks(text), 0, caller=caller),
        "login": GUARDED.login(f"/{text}", problem),
        "logged in": GUARDED.login("/", caller=caller),
        "home, other field": PAGES.home(jobs(), tasks(text), 0, other, {}),
        "empty home": PAGES.home(jobs(), [], 0),
        "inbox": PAGES.inbox(
            NotificationList(items=[a_notice(title=text, body=text, job_id=text)], unread=1, next=text)
        ),
        "empty inbox": PAGES.inbox(NotificationList(items=[], unread=0, next=None)),
        "agents": PAGES.agents(
            Overview(agents=[an_agent(0, 3, name=text, topic=text, group=text)], workers=[worker], problem=text),
            0,
            dead=2,
        ),
        "empty agents": PAGES.agents(Overview(agents=[], workers=[]), 0),
        "problem": PAGES.problem(other, 2),
        **{
            f"{state} job": PAGES.job(
                a_job(
                    id=text, name=text, task=text, status=state, error=text, report=report, deliveries=deliveries
                ).model_copy(update=ends if state not in ("queued", "running") else {}),
                2,
            )
            for state in states
        },
    }


PLAIN = everything("plain")
EVERY = pytest.mark.parametrize("name", PLAIN)


@EVERY
def test_strangers_text_is_escaped(name: str) -> None:
    """Names, addresses, errors and reports never become markup: the elements stay those of harmless text."""
    harmless, hostile = Tree(PLAIN[name]), Tree(everything(EVIL)[name])
    assert [tag for tag, _ in harmless.elements] == [tag for tag, _ in hostile.elements]
    assert [set(attributes) for _, attributes in harmless.elements] == [
        set(attributes) for _, attributes in hostile.elements
    ]
    assert "60481729" not in everything("{{ 7777 * 7777 }}")[name]


@EVERY
def test_strict_policy_holds(name: str) -> None:
    """No page needs more than its own assets: no inline script, style or handler, nothing from elsewhere."""
    tree = Tree(PLAIN[name])
    assert tree.all("style") == []
    assert all(each.get("src", "") for each in tree.all("script"))
    for tag, attributes in tree.elements:
        assert not [each for each in attributes if each == "style" or each.startswith("on")], tag
        for address in (attributes.get("href"), attributes.get("src"), attributes.get("action")):
            assert address is None or address.startswith(("/", "#")), tag


@EVERY
def test_well_formed(name: str) -> None:
    """Each tag is closed, each id there once, and every reference to an id finds it."""
    tree = Tree(PLAIN[name])
    assert tree.open == []
    ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tree.elements:
        for kind in ("aria-labelledby", "aria-describedby", "for"):
            assert set((attributes.get(kind) or "").split()) <= set(ids)


@EVERY
def test_accessible(name: str) -> None:
    """A language, one h1, landmarks, a way past the navigation, a name for each field, picture and bar."""
    tree = Tree(PLAIN[name])
    labelled = {each.get("for") for each in tree.all("label")}
    assert [each["lang"] for each in tree.all("html")] == ["en"]
    assert [len(tree.all(tag)) for tag in ("h1", "main", "nav", "title")] == [1, 1, 1, 1]
    assert tree.all("a")[0]["href"] == "#main"
    for field in tree.all("input", "textarea", "select"):
        assert field.get("type") in ("radio", "hidden") or field["id"] in labelled
    levels = [int(tag[1]) for tag, _ in tree.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(each.get("alt") for each in tree.all("img"))
    assert all(each.get("aria-label") for each in tree.all("progress"))
    assert all("aria-hidden" in each or "aria-label" in each for each in tree.all("svg"))


@EVERY
def test_assets_exist(name: str) -> None:
    """Each asset that a page names is served, under an address that changes with its content."""
    wanted = re.findall(r'"/assets/([^"?]+)\?v=[0-9a-f]{12}"', PLAIN[name])
    assert {"style.css", "live.js"} < set(wanted) <= set(assets())
    assert len(wanted) == PLAIN[name].count("/assets/")


def test_form_works_without_script() -> None:
    """The form posts its four fields as multipart to where the web views take them."""
    tree = Tree(PAGES.home(jobs(), tasks(), 0))
    form = tree.all("form")[0]
    assert (form["method"], form["action"], form["enctype"]) == ("post", "/ui/jobs", "multipart/form-data")
    assert {each["name"] for each in tree.all("input", "textarea")} == {"task", "text", "file", "email"}
    assert [each["value"] for each in tree.all("input") if "checked" in each] == ["summarize"]


def test_error_keeps_what_was_sent() -> None:
    """After a refusal the form is filled as before, and the field that is wrong says why."""
    problem = Problem(
        title="Please check",
        status=422,
        detail="One field.",
        errors=[FieldProblem(field="email", detail="It has two @.")],
    )
    html = PAGES.home(jobs(), tasks(), 0, problem, {"task": "echo", "text": "\nfirst line", "email": "a@@b"})
    tree = Tree(html)
    wrong = next(each for each in tree.all("input") if each.get("name") == "email")
    assert [each["value"] for each in tree.all("input") if "checked" in each] == ["echo"]
    assert (wrong["value"], wrong["aria-invalid"]) == ("a@@b", "true")
    assert (wrong["aria-describedby"] or "").split()[-1] == "email-wrong1"
    assert re.search(r">\n\nfirst line</textarea>", html)
    assert 'role="alert"' in html


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([], "Too many jobs wait."),
        ([FieldProblem(field="priority", detail="It is too high.")], "<code>priority</code>: It is too high."),
        (
            [FieldProblem(field="text", detail="Blank."), FieldProblem(field="params.n", detail="Too many.")],
            "<code>params.n</code>: Too many.",
        ),
        ([FieldProblem(field="document", detail="Not both.")], 'id="file-wrong1">Not both.'),
    ],
)
def test_no_reason_is_lost(errors: list[FieldProblem], said: str) -> None:
    """What is wrong is said at its field, and above the form where the form has no such field."""
    problem = Problem(title="No", status=422, detail="Too many jobs wait.", errors=errors)
    assert said in PAGES.home(jobs(), tasks(), 0, problem, {})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "25 of 100 parts · 25 % · about 2 min left"),
        ({"eta_s": None, "progress": Progress(done=12345, total=99999)}, "12,345 of 99,999 parts · 12 %"),
        ({"eta_s": 8.2}, "25 of 100 parts · 25 % · about 8 s left"),
        ({"eta_s": 0.3}, "25 of 100 parts · 25 % · less than a second left"),
        ({"eta_s": None, "progress": Progress(done=0, total=0)}, "Reading the document"),
        ({"status": "queued", "position": 1, "eta_s": None}, "Next in line"),
        ({"status": "queued", "position": 1200, "eta_s": 7500.0}, "Number 1,200 in line · about 2 h 5 min left"),
        ({"status": "queued", "position": None, "eta_s": None}, "Waiting"),
    ],
)
def test_progress_in_words(changes: dict[str, Any], line: str) -> None:
    """A bar is never alone: what it means stands beside it, in the list and on the job's page."""
    assert words.progress(a_job(**changes)) == line
    for html in (PAGES.home(jobs(a_job(**changes)), tasks(), 0), PAGES.job(a_job(**changes), 0)):
        assert f"<span data-line>{line}</span>" in html


def test_unknown_total_has_no_value() -> None:
    """While nothing is known the bar shows that it does not know."""
    bar = Tree(PAGES.job(a_job(progress=Progress(done=0, total=0)), 0)).all("progress")[0]
    assert "value" not in bar


@pytest.mark.parametrize(
    ("status", "deliveries", "live"),
    [
        ("queued", [], True),
        ("running", [], True),
        ("succeeded", ["pending"], True),
        ("succeeded", ["sent", "sending"], True),
        ("succeeded", ["sent", "dead", "parked"], False),
        ("failed", [], False),
        ("cancelled", [], False),
        ("expired", [], False),
    ],
)
def test_polls_only_while_something_can_change(status: str, deliveries: list[str], live: bool) -> None:
    """A page asks for news while the job runs or a delivery is on its way, and not afterwards."""
    job = a_job(status=status, deliveries=[a_delivery(state=each) for each in deliveries])
    assert ("data-live" in PAGES.job(job, 0)) is live
    assert ("data-live" in PAGES.home(jobs(job), tasks(), 0)) is (status in ("queued", "running"))


def test_cancel_is_offered_while_it_helps() -> None:
    """A running job can be cancelled from its page, a final one can't."""
    assert 'action="/ui/jobs/0b9e7c1a-5f0e-4f5c-9a51-7bb7f5d1a001/cancel"' in PAGES.job(a_job(), 0)
    assert "/cancel" not in PAGES.job(a_job(status="succeeded"), 0)


def test_report_is_shown_with_its_plot() -> None:
    """The task's own markup passes, the plot has its alt text, the files their sizes."""
    html = PAGES.job(a_job(status="succeeded", report=a_report()), 0)
    assert "<p>To him she is always <em>the</em> woman.</p>" in html
    assert '<img src="/v1/jobs/x/plot" alt="The tone falls, then rises."' in html
    assert "arc.png, 84 kB" in html
    assert 'href="/v1/jobs/x/files/s.csv"' in html


def test_report_of_sixty_one_chapters() -> None:
    """A long report is shown whole."""
    titles = [f"Chapter {number}" for number in range(1, 62)]
    report = a_report(html="".join(f"<h2>{title}</h2><p>x</p>" for title in titles))
    assert re.findall(r"<h2>(Chapter \d+)</h2>", PAGES.job(a_job(status="succeeded", report=report), 0)) == titles


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "sent"}, "Sent"),
        ({"state": "sent", "attempts": 3}, "at attempt 3"),
        ({"state": "pending", "attempts": 0}, "Goes out in a moment"),
        ({"state": "pending", "attempts": 2, "next_attempt_at": NOON, "last_error": "421 busy"}, "Next attempt"),
        ({"state": "pending", "attempts": 2, "next_attempt_at": NOON, "last_error": "421 busy"}, "421 busy"),
        ({"state": "parked"}, "It may have arrived"),
        ({"state": "dead", "attempts": 12, "last_error": "550 no"}, "Given up after 12 attempts"),
        ({"state": "dead", "attempts": 12, "last_error": "550 no"}, "550 no"),
        ({"kind": "notification", "recipient": "default"}, "<bdi>Inbox</bdi>"),
        ({"kind": "webhook", "recipient": "https://example.org/h"}, "Webhook to https://example.org/h"),
    ],
)
def test_deliveries_explain_themselves(changes: dict[str, Any], said: str) -> None:
    """Each delivery says where it goes, how it stands, and why."""
    assert said in PAGES.job(a_job(status="succeeded", deliveries=[a_delivery(**changes)]), 0)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("failed", "could not be finished"),
        ("cancelled", "was cancelled after 25 of 100 parts"),
        ("expired", "was not finished before its deadline: 25 of 100 parts"),
    ],
)
def test_ends_without_a_report(status: str, said: str) -> None:
    """A job that did not succeed says so, gives the reason, and what to do next."""
    html = PAGES.job(a_job(status=status, error="The reason."), 0)
    for each in (said, "The reason.", "tart it again", '/retry"'):
        assert each in html


def test_a_failure_that_will_not_pass() -> None:
    """I expect a job that failed before any work began not to be told that it may pass, and one that had, to be."""
    document = PAGES.job(a_job(status="failed", started_at=None, progress=Progress(done=0, total=0)), 0)
    work = PAGES.job(a_job(status="failed"), 0)
    assert ("Many failures pass" in document, "while the document was read" in document) == (False, True)
    assert ("Many failures pass" in work, "while the document was read" in work) == (True, False)


@pytest.mark.parametrize("started", [None, NOON])
def test_a_failure_of_the_task_s_own(started: datetime | None) -> None:
    """I expect the advice to blame no document and to promise nothing, wherever the task's code went wrong."""
    html = PAGES.job(a_job(status="failed", error=f"{OWN_CODE} raised ValueError: x", started_at=started), 0)
    assert "a mistake in the program that does this task" in html
    assert not re.search("Many failures pass|while the document was read", html)


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_a_job_without_a_report_was_not_answered(status: str) -> None:
    """I expect its parts to be told of, even where all of them were remembered."""
    html = PAGES.job(
        a_job(status=status, remembered=100, remembered_at=NOON, progress=Progress(done=100, total=100)), 0
    )
    assert "100 of 100 parts were answered from memory of" in html
    assert "Answered" not in html


def test_unread_is_in_the_navigation() -> None:
    """Every page shows how much is unread, in words for those who can't see the badge."""
    assert 'class="badge">1,234<span class="hidden"> unread</span>' in PAGES.agents(
        Overview(agents=[], workers=[]), 1234
    )
    assert "badge" not in PAGES.agents(Overview(agents=[], workers=[]), 0)


def test_inbox_marks_and_reads() -> None:
    """Only what is unread offers to be marked as read, alone and with all that is shown; each leads to its job."""
    items = [a_notice(), a_notice(id=6, read_at=NOON)]
    html = PAGES.inbox(NotificationList(items=items, unread=1, next="c/1"))
    marking = ["/ui/notifications/read?up_to=7", "/ui/notifications/7/read"]
    assert re.findall(r'action="([^"]+)"', html) == marking
    assert "action=" not in PAGES.inbox(NotificationList(items=items[1:], unread=0, next=None))
    assert html.count('href="/jobs/x"') == 2
    assert 'href="/inbox?cursor=c/1"' in html


def test_agents_show_lag_and_rate() -> None:
    """An agent shows topic, partitions, lag and rate, and a model worker that it lives."""
    worker = WorkerResource(
        id="w", host="gpu-1", pid=12, device="cuda:0", predictors=["minilm"], items=5, rate=9.26, seen_s=0.2
    )
    overview = Overview(agents=[an_agent(0, 741), an_agent(rate=None)], workers=[worker])
    html = PAGES.agents(overview, 0)
    for each in (
        "<code>streamapp.inference</code>",
        "<dd>741</dd>",
        "12.5<span",
        "another worker",
        "just now",
        "9.3<span",
    ):
        assert each in html
    assert 'aria-label="Lag by partition: 0, 741"' in html


def test_many_partitions_are_not_drawn() -> None:
    """A topic with hundreds of partitions has its table, and no unreadable drawing."""
    html = PAGES.agents(Overview(agents=[an_agent(*[1] * 300)], workers=[]), 0)
    assert "<rect" not in html
    assert html.count('<th scope="row">') == 300


@pytest.mark.parametrize(
    ("remembered", "line"),
    [(100, "Answered from memory of <time"), (25, "25 of 100 parts were answered from memory of <time"), (None, None)],
)
def test_the_page_says_what_was_remembered(remembered: int | None, line: str | None) -> None:
    """In one sentence with its day, and not at all when all was computed."""
    known: dict[str, Any] = {} if remembered is None else {"remembered": remembered, "remembered_at": NOON}
    page = PAGES.job(a_job(status="succeeded", progress=Progress(done=100, total=100), **known), 0)
    assert ("memory" in page) is (line is not None)
    assert line is None or line in page


def test_each_task_says_how_large_a_document_it_takes() -> None:
    """Not what is let in at all, where the task takes less."""
    small, any_size = tasks()
    html = PAGES.home(jobs(), [small.model_copy(update={"largest": 1_000_000}), any_size], 0)
    assert "takes plain text, at most 1 MB</small>" in html
    assert "takes plain text, at most 33 MB</small>" in html


def test_each_option_is_a_field_of_its_kind() -> None:
    """Folded away, with its bounds, its default and what it means; the browser checks it only with the script."""
    html = PAGES.home(jobs(), [choosing("n")], 0)
    tree = Tree(html)
    fields = {each["name"]: each for each in tree.all("input", "textarea", "select")}
    assert [each for each in tree.all("details") if each["id"] == "options"] == [{"class": "options", "id": "options"}]
    number = fields["option.n.n1"]
    assert (number["type"], number["min"], number["max"], number["value"]) == ("number", "1", "10", "3")
    assert (fields["option.n.n2"]["type"], "checked" in fields["option.n.n2"]) == ("checkbox", True)
    assert [each["value"] for each in tree.all("option")[:4]] == ['"a"', '"n"', "1", "null"]
    assert [each["value"] for each in tree.all("option") if "selected" in each] == ['"n"']
    assert (fields["option.n.n4"]["maxlength"], "required" in fields["option.n.n4"]) == ("99", True)
    assert re.search(r">n 1 to 10\. Default: 3\.</p>", html)
    assert "novalidate" in tree.all("form")[0]


def test_a_refused_option_stands_open_and_filled() -> None:
    """What was chosen stays, also a box that was emptied; what is wrong stands at its field, which points to it."""
    problem = Problem(
        title="No", status=422, detail="No", errors=[FieldProblem(field="params.n5.0", detail="No text.")]
    )
    sent = {"task": "n", "option.n": "shown", "option.n.n1": "7", "option.n.n5": "[1]", "within": "24"}
    html = PAGES.home(jobs(), [*tasks(), choosing("n")], 0, problem, sent)
    tree = Tree(html)
    fields = {each.get("name"): each for each in tree.all("input", "textarea", "select")}
    assert "open" in next(each for each in tree.all("details") if each["id"] == "options")
    assert (fields["option.n.n1"]["value"], "checked" in fields["option.n.n2"]) == ("7", False)
    assert [each["value"] for each in tree.all("option") if "selected" in each] == ["24"]
    assert fields["option.n.n5"]["aria-invalid"] == "true"
    wrong = (fields["option.n.n5"]["aria-describedby"] or "").split()[-1]
    assert f'<p class="wrong" id="{wrong}">No text.</p>' in html
    assert "<code>params" not in html


def test_a_refused_deadline_stands_at_its_field() -> None:
    """And not above the form."""
    problem = Problem(title="No", status=422, detail="No", errors=[FieldProblem(field="deadline", detail="Too late.")])
    assert 'id="within-wrong1">Too late.' in PAGES.home(jobs(), tasks(), 0, problem, {})


@pytest.mark.parametrize(
    ("pages", "caller", "there", "missing"),
    [
        (PAGES, LOCAL, ["Agents"], ["Log in", "Log out"]),
        (GUARDED, LOCAL, ['<a href="/login">Log in</a>'], ["Log out"]),
        (
            GUARDED,
            ANNA,
            ["<bdi>laptop</bdi>", '<bdi class="quiet">anna</bdi>', 'action="/logout"', "Log out"],
            ["Log in", "Agents"],
        ),
        (GUARDED, CHIEF, ["<bdi>operations</bdi>", "Log out", "Agents"], ["Log in"]),
    ],
)
def test_the_navigation_says_who_one_is(pages: Pages, caller: Caller, there: list[str], missing: list[str]) -> None:
    """As whom one is logged in and the way out; the way in; or nothing of it. And nothing that would be refused."""
    problem = Problem(title="No", status=404, detail="No")
    for html in (
        pages.home(jobs(), tasks(), 0, caller=caller),
        pages.job(a_job(), 0, caller),
        pages.inbox(NotificationList(items=[], unread=0, next=None), caller),
        pages.problem(problem, 0, caller),
    ):
        head = html.split("</header>")[0].replace("Logged in as", "")
        assert [each for each in there if each not in head] == []
        assert [each for each in missing if each in head] == []


def test_who_may_read_is_offered_no_more() -> None:
    """A key that may read gets no form, no cancel and no new start, and is told why."""
    reader = Caller("anna", frozenset(("read",)), "key-1", name="hall")
    home = GUARDED.home(jobs(), tasks(), 0, caller=reader)
    assert "/ui/jobs" not in home
    assert "may read, and send nothing" in home
    for status in ("running", "failed", "cancelled", "expired"):
        assert "/ui/jobs" in GUARDED.job(a_job(status=status), 0, ANNA)
        assert "/ui/jobs" not in GUARDED.job(a_job(status=status), 0, reader)


def test_open_dead_letters_are_told() -> None:
    """How many, and the command that lists them; nothing where there are none."""
    overview = Overview(agents=[an_agent(0)], workers=[])
    command = "<code>streamapp dead-letters list</code>"
    for number, said in ((1, "1 dead letter is open."), (1200, "1,200 dead letters are open.")):
        html = PAGES.agents(overview, 0, dead=number)
        assert said in html
        assert command in html
    assert command not in PAGES.agents(overview, 0)


def test_the_plot_is_not_waited_for() -> None:
    """It has its place before it comes, where its size is known, and is not put off: the page is for it."""
    done = a_job(status="succeeded", report=a_report())
    (picture,) = Tree(PAGES.job(done, 0, plot_size=(1800, 972))).all("img")
    assert (picture["width"], picture["height"]) == ("1800", "972")
    (unknown,) = Tree(PAGES.job(done, 0)).all("img")
    for each in (picture, unknown):
        assert not {"loading", "decoding"} & set(each)
    assert "width" not in unknown


def test_a_job_that_is_not_done_says_what_becomes_of_it() -> None:
    """Where it goes, as it was written, and until when it has time; nothing of what was not asked for."""
    for status in ("queued", "running"):
        html = PAGES.job(a_job(status=status, email="<mary>@example.org", deadline=NOON), 0)
        assert "</a>, and goes to <bdi>&lt;mary&gt;@example.org</bdi>." in html
        assert 'If it is not done by <time datetime="2025-05-12T12:00:00+00:00">' in html
        plain = PAGES.job(a_job(status=status), 0)
        assert not [each for each in ("goes to", "it expires", "None") if each in plain]


def test_a_partial_report_is_offered_where_there_may_be_one() -> None:
    """A task that makes none leads nowhere."""
    failed = a_job(status="failed")
    assert "/partial" in PAGES.job(failed, 0, partial=True)
    assert "/partial" not in PAGES.job(failed, 0, partial=False)


def test_a_job_that_runs_offers_what_there_is_so_far() -> None:
    """Without a script, which shows it on the page; once there is something, and if its task makes it."""
    link = f'<noscript><p><a href="/v1/jobs/{a_job().id}/partial">What there is so far</a></p></noscript>'
    assert link in PAGES.job(a_job(), 0)
    assert "/partial" not in PAGES.job(a_job(), 0, partial=False)
    for changes in ({"status": "queued"}, {"status": "succeeded"}, {"progress": Progress(done=0, total=100)}):
        assert "/partial" not in PAGES.job(a_job(**changes), 0), changes


def test_code_in_the_description_is_code() -> None:
    """And no backticks; what looks like HTML is none."""
    assert coded("`errors` names <b>") == "<code>errors</code> names &lt;b&gt;"
    assert coded("a `<i>`, `b`") == "a <code>&lt;i&gt;</code>, <code>b</code>"
    assert coded("one ` alone") == "one ` alone"


def test_a_path_is_broken_beside_its_parameters() -> None:
    """A narrow screen breaks it there, and not within the braces; what looks like HTML is none."""
    assert breakable("/v1/jobs/{job_id}/attachments/{position}") == (
        "/v1/jobs/<wbr>{job_id}/<wbr>attachments/<wbr>{position}"
    )
    assert breakable("/v1/jobs") == "/v1/jobs"
    assert breakable("/<b>/{a}") == "/&lt;b&gt;/<wbr>{a}"
    call = {"tags": ["a"], "operationId": "b", "summary": "c", "parameters": [], "responses": {}}
    document = {"info": {"version": "1"}, "paths": {"/a/{b}": {"get": call}}, "components": {"schemas": {}}}
    assert "<code>GET /a/<wbr>{b}</code>" in PAGES.docs(document, 0)
