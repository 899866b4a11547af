"""What both clients send, how they read what comes back, and what they say of what went wrong."""

from __future__ import annotations

import inspect
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamapp.client import ApiError, ApiUnreachable, AsyncClient, Client
from streamapp.errors import ConfigurationError
from streamapp.resources import FieldProblem
from tests.unit.client.world import ID, JOB, Outcome, World, job, problem


def form_of(request: httpx.Request) -> dict[str, tuple[dict[str, str], bytes]]:
    """The parts of a form by their names, with what each says of itself."""
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    parts = {}
    for part in request.content.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        about = dict(each.split("=", 1) for each in lines.pop("Content-Disposition").split("; ")[1:])
        name = about.pop("name").strip('"')
        parts[name] = ({**{key: value.strip('"') for key, value in about.items()}, **lines}, content)
    return parts


def test_a_text(how: str) -> None:
    """It goes as JSON with what else there is, under a key, and the job comes back."""
    world = World(how, httpx.Response(202, json=JOB))
    deadline = datetime(2030, 1, 1, tzinfo=UTC)
    sent = world(
        "submit", "echo", text="A line.", email="a@b.c", params={"chunk": 3}, priority=1, deadline=deadline, key="k"
    )
    assert (sent.id, sent.status) == (ID, "queued")
    (request,) = world.asked
    assert (request.method, request.url.path, request.headers["Idempotency-Key"]) == ("POST", "/v1/jobs", "k")
    assert json.loads(request.content) == {
        "task": "echo",
        "text": "A line.",
        "email": "a@b.c",
        "params": {"chunk": 3},
        "priority": 1,
        "deadline": "2030-01-01T00:00:00+00:00",
    }


def test_a_long_text(how: str) -> None:
    """It goes as a file, of which more may be sent."""
    world = World(how, httpx.Response(202, json=JOB))
    world("submit", "echo", text="ä" * (1 << 20) + "!")
    about, content = form_of(world.asked[0])["file"]
    assert about == {"Content-Type": "text/plain; charset=utf-8"}
    assert content == ("ä" * (1 << 20) + "!").encode()


@pytest.mark.parametrize("kind", ["path", "text path", "bytes", "open", "open in memory"])
def test_a_file(how: str, kind: str, tmp_path: Path) -> None:
    """However it is given: the same form, with its length said before."""
    path = tmp_path / "book.html"
    path.write_bytes(b"<p>A book.")
    with path.open("rb") as file:
        file.seek(3)
        kinds: dict[str, dict[str, Any]] = {
            "path": {"file": path},
            "text path": {"file": str(path)},
            "bytes": {"file": b"<p>A book.", "name": "book.html"},
            "open": {"file": file},
            "open in memory": {"file": io.BytesIO(b"<p>A book."), "name": "book.html"},
        }
        given = kinds[kind]
        world = World(how, httpx.Response(202, json=JOB))
        world("submit", "summarize", **given, params={"title": "ä"}, fresh=True, webhook="https://x.test/")
    form = form_of(world.asked[0])
    assert form.pop("file") == ({"filename": "book.html", "Content-Type": "text/html"}, b"<p>A book.")
    form.pop("name", None)
    assert {name: content for name, (_, content) in form.items()} == {
        "task": b"summarize",
        "params": json.dumps({"title": "ä"}).encode(),
        "fresh": b"true",
        "webhook": b"https://x.test/",
    }
    assert int(world.asked[0].headers["Content-Length"]) == len(world.asked[0].content)


def test_what_a_file_is_said_to_be(how: str, tmp_path: Path) -> None:
    """`media_type` is the part's own; `name` is the job's."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    world = World(how, httpx.Response(202, json=JOB))
    world("submit", "echo", file=path, name="Mine", media_type="text/plain; charset=latin-1")
    form = form_of(world.asked[0])
    assert form["file"][0] == {"filename": "a.bin", "Content-Type": "text/plain; charset=latin-1"}
    assert form["name"][1] == b"Mine"
    assert "media_type" not in form


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({}, TypeError, "There is no document: give text= or file=."),
        ({"text": "a", "file": b"a"}, TypeError, "Give text= or file=, not both."),
        ({"text": 5}, TypeError, "a str, not int"),
        ({"text": b"a"}, TypeError, "a str, not bytes; bytes and files go as file="),
        ({"file": 5}, TypeError, "not int"),
        ({"file": io.StringIO("a")}, TypeError, "binary mode"),
        ({"text": "a", "key": "ä"}, ValueError, "printable ASCII"),
        ({"text": "a", "key": ""}, ValueError, "printable ASCII"),
        ({"text": "a", "deadline": datetime(2030, 1, 1)}, ValueError, "has no offset"),
        ({"text": "a", "deadline": "2030-01-01T00:00:00"}, ValueError, "has no offset"),
        ({"text": "a", "deadline": "tomorrow"}, ValueError, "'tomorrow' is no time: write it like \"20"),
        ({"text": "a", "deadline": 3600}, TypeError, "a timedelta from now, not int"),
        ({"file": "/nowhere/at/all"}, FileNotFoundError, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_sent(how: str, given: dict[str, Any], error: type[Exception], said: str) -> None:
    """Nothing is asked of the API, and the error says what would be right."""
    world = World(how)
    with pytest.raises(error, match=re.escape(said)):
        world("submit", "echo", **given)
    assert world.asked == []


@pytest.mark.parametrize(("call", "of", "named"), [("submit", "echo", {"text": "a"}), ("retry", ID, {})])
def test_a_deadline_as_text(how: str, call: str, of: str, named: dict[str, Any]) -> None:
    """RFC 3339, as the API itself takes it: the same moment arrives."""
    world = World(how, job())
    world(call, of, deadline="2030-01-31T12:00:00Z", **named)
    sent = json.loads(world.asked[0].content)["deadline"]
    assert datetime.fromisoformat(sent) == datetime(2030, 1, 31, 12, tzinfo=UTC)


def test_a_deadline_from_now(how: str) -> None:
    """It is a time, the same in each attempt: else the key would be refused with another body."""
    world = World(how, httpx.ReadError("cut"), httpx.Response(202, json=JOB))
    world("submit", "echo", text="a", deadline=timedelta(hours=1))
    first, second = (json.loads(request.content)["deadline"] for request in world.asked)
    assert first == second
    assert timedelta(minutes=59) < datetime.fromisoformat(first) - datetime.now(UTC) <= timedelta(hours=1)


def test_it_is_sent_again_under_one_key(how: str, tmp_path: Path) -> None:
    """Whatever went wrong with the answer: the same key, and the whole file each time."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 200_000)
    wrong: list[Outcome] = [
        httpx.ReadError("cut"),
        problem(503, Retry_After="7"),
        httpx.ConnectError("no"),
        problem(502),
    ]
    world = World(how, *wrong, httpx.Response(202, json=JOB))
    assert world("submit", "echo", file=path).id == ID
    assert len({request.headers["Idempotency-Key"] for request in world.asked}) == 1
    assert [form_of(request)["file"][1] for request in world.asked] == [b"x" * 200_000] * 5
    assert world.slept[1] == 7.0
    assert [0.1 <= each <= 1.6 for each in world.slept] == [True, False, True, True]


def test_each_submit_has_a_key_of_its_own(how: str) -> None:
    """Two of the same are two jobs."""
    world = World(how, httpx.Response(202, json=JOB), httpx.Response(202, json=JOB))
    world("submit", "echo", text="a")
    world("submit", "echo", text="a")
    assert len({request.headers["Idempotency-Key"] for request in world.asked}) == 2


class Pipe(io.RawIOBase):
    """A file that can be read once."""

    def readable(self) -> bool:
        """It is one."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Nothing is in it."""
        return 0


def test_what_can_be_read_once_is_sent_once(how: str) -> None:
    """The second time it would be empty."""
    world = World(how, httpx.ReadError("cut"))
    with pytest.raises(ApiUnreachable, match="not known whether"):
        world("submit", "echo", file=Pipe())
    assert len(world.asked) == 1


def test_a_retry_is_never_repeated(how: str) -> None:
    """It has no key: the second time the job would run already."""
    for outcome in (httpx.ReadTimeout("slow"), problem(503, Retry_After="1"), httpx.ConnectError("no")):
        world = World(how, outcome)
        with pytest.raises((ApiUnreachable, ApiError)):
            world("retry", ID)
        assert (len(world.asked), world.slept) == (1, [])


def test_waiting_for_the_answer(how: str) -> None:
    """`wait_s` is a preference, and the answer may take longer than that."""
    world = World(how, job("succeeded"))
    assert world("submit", "echo", text="a", wait_s=60).status == "succeeded"
    assert world.asked[0].headers["Prefer"] == "wait=60"
    assert world.asked[0].extensions["timeout"] == {"connect": 60, "read": 75, "write": 60, "pool": 60}


def test_the_other_calls(how: str) -> None:
    """Each asks what it says."""
    world = World(how, job(), job("cancelled"), job(), httpx.Response(204), httpx.Response(200, json={"a": 1}))
    world("job", "a/b")
    world("cancel", ID)
    world("retry", ID, deadline=timedelta(hours=1))
    world("delete", ID)
    assert world("post", "/v1/dead-letters/redrive", {"topic": "x"}) == {"a": 1}
    asked = [(request.method, request.url.raw_path.decode()) for request in world.asked]
    assert asked == [
        ("GET", "/v1/jobs/a%2Fb"),
        ("DELETE", f"/v1/jobs/{ID}"),
        ("POST", f"/v1/jobs/{ID}/retry"),
        ("DELETE", f"/v1/jobs/{ID}/data"),
        ("POST", "/v1/dead-letters/redrive"),
    ]
    assert list(json.loads(world.asked[2].content)) == ["deadline"]


def test_what_is_gone_the_second_time_is_deleted(how: str) -> None:
    """The first answer was lost; without a first attempt it is no such job."""
    world = World(how, httpx.ReadError("cut"), problem(404))
    assert world("delete", ID) is None
    with pytest.raises(ApiError, match="404"):
        World(how, problem(404))("delete", ID)


def test_all_jobs(how: str) -> None:
    """Page after page, with the same filter."""
    pages = [{"items": [JOB, JOB], "next": "c1"}, {"items": [], "next": "c2"}, {"items": [JOB], "next": None}]
    world = World(how, *(httpx.Response(200, json=page) for page in pages))
    after = datetime(2030, 1, 1, tzinfo=UTC)
    assert len(world("each_job", status=["failed", "expired"], created_after=after, task="echo")) == 3
    queries = [dict(request.url.params) for request in world.asked]
    wanted = {"limit": "100", "status": "failed,expired", "created_after": after.isoformat(), "task": "echo"}
    assert queries == [wanted, {**wanted, "cursor": "c1"}, {**wanted, "cursor": "c2"}]


def test_a_page(how: str) -> None:
    """One of them, with its cursor."""
    world = World(how, httpx.Response(200, json={"items": [JOB], "next": "c"}))
    page = world("jobs", 5, status="failed")
    assert (len(page.items), page.next) == (1, "c")
    assert dict(world.asked[0].url.params) == {"limit": "5", "status": "failed"}


def test_a_plot_that_has_not_changed(how: str) -> None:
    """It is asked for by its tag, and not sent again; a new one is."""
    answers = [
        httpx.Response(200, content=b"one", headers={"ETag": '"1"'}),
        httpx.Response(304, headers={"ETag": '"1"'}),
        httpx.Response(200, content=b"two", headers={"ETag": '"2"'}),
    ]
    tags = []

    def answer(request: httpx.Request) -> httpx.Response:
        tags.append(request.headers.get("If-None-Match"))
        return answers.pop(0)

    with Client("http://api.test", transport=httpx.MockTransport(answer)) as client:
        assert [client.plot(ID) for _ in range(3)] == [b"one", b"one", b"two"]
    assert tags == [None, '"1"', '"1"']


def test_a_304_that_nobody_asked_for(how: str) -> None:
    """Is no answer."""
    with pytest.raises(ApiError, match="304"):
        World(how, httpx.Response(304))("plot", ID)


def test_a_refusal(how: str) -> None:
    """Has all that the problem document says, and words for a person."""
    errors = [{"field": "task", "detail": "there is no such task"}, {"field": "email", "detail": "it is no address"}]
    document = {"type": "about:blank", "title": "Unprocessable", "status": 422, "errors": errors}
    answer = httpx.Response(422, json={**document, "detail": "task: there is no such task"})
    world = World(how, answer)
    with pytest.raises(ApiError) as raised:
        world("submit", "what", text="a")
    error = raised.value
    assert (error.status, error.type, error.title) == (422, "about:blank", "Unprocessable")
    assert error.errors == [FieldProblem(**each) for each in errors]
    assert str(error) == "422 Unprocessable: task: there is no such task. Also email: it is no address."
    assert len(world.asked) == 1


def test_try_later_but_not_so_late(how: str) -> None:
    """What asks for more than a caller will wait is told at once, with the time."""
    world = World(how, problem(429, Retry_After="900"))
    with pytest.raises(ApiError, match="429 No: Not now") as raised:
        world("job", ID)
    assert (raised.value.retry_after_s, world.slept) == (900.0, [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            httpx.Response(500, html="<h1>nginx</h1>"),
            "500 Internal Server Error: <h1>nginx</h1>.*no answer of streamapp",
        ),
        (httpx.Response(404), "404 Not Found: no more was said"),
        (httpx.Response(308, headers={"Location": "https://api.test/"}), "leads to https://api.test/: give the client"),
        (httpx.Response(200, html="<h1>Welcome</h1>"), "can't be read: 1 fields.*check the address"),
        (httpx.Response(200, json={"hello": "world"}), "can't be read.*check the address"),
        (problem(401, "An API key is needed."), "An API key is needed. The client takes a key as api_key"),
    ],
)
def test_what_is_no_answer_of_ours(how: str, answer: httpx.Response, words: str) -> None:
    """The error says what it was and what to check."""
    with pytest.raises(ApiError, match=words):
        World(how, answer)("job", ID)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            httpx.ConnectError("[Errno 111] Connection refused"),
            "Nothing answers at http://api.test:6066.*refused.*Check.*`streamapp up` .*`streamapp doctor`",
        ),
        (httpx.ReadTimeout(""), "did not answer in time .ReadTimeout..*timeout_s"),
        (httpx.RemoteProtocolError("Server disconnected"), "broke before the answer: Server disconnected"),
    ],
)
def test_nobody_answers(how: str, error: httpx.RequestError, words: str) -> None:
    """After as many attempts as there may be it says where and what to check."""
    world = World(how, *[error] * 6)
    with pytest.raises(ApiUnreachable, match=words):
        world("job", ID)
    assert (len(world.asked), len(world.slept)) == (6, 5)


@pytest.mark.parametrize("url", ["localhost:6066", "ftp://a", "", "http://", "http://[::1", "http://a:b"])
def test_what_is_no_address(url: str) -> None:
    """It is refused before anything is sent."""
    for kind in (Client, AsyncClient):
        with pytest.raises(ConfigurationError, match="no address of an API"):
            kind(url)


def test_a_key(how: str) -> None:
    """It is sent with every call; one that can be none is refused and not shown."""
    world = World(how, job())
    world("job", ID, api_key="sk_1")
    assert world.asked[0].headers["Authorization"] == "Bearer sk_1"
    with pytest.raises(ConfigurationError) as raised:
        world("job", ID, api_key="secret\n")
    assert "secret" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="without that word") as raised:
        world("job", ID, api_key="Bearer secret")
    assert "secret" not in str(raised.value)


def test_the_whole_inbox_is_marked(how: str) -> None:
    """All of it, or up to a line."""
    answer = httpx.Response(200, json={"read": 2, "unread": 0})
    world = World(how, answer, answer)
    assert world("mark_all_read").read == 2
    assert world("mark_all_read", up_to=7).unread == 0
    sent = [(request.method, request.url.path, json.loads(request.content)) for request in world.asked]
    assert sent == [("POST", "/v1/notifications/read", {}), ("POST", "/v1/notifications/read", {"up_to": 7})]


def test_both_clients_are_the_same() -> None:
    """The same methods with the same arguments; only how they give it differs."""

    def methods(kind: type) -> dict[str, list[inspect.Parameter]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(function).parameters.values())
            for name, function in found
            if not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(Client) == methods(AsyncClient)
    assert [inspect.getdoc(getattr(Client, name)) for name in methods(Client)] == [
        inspect.getdoc(getattr(AsyncClient, name)) for name in methods(Client)
    ]


def test_the_client_is_light() -> None:
    """A program that imports it loads nothing of what runs the jobs."""
    program = "import sys, streamapp.client; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert {"httpx", "pydantic", "streamapp"} <= set(loaded.stdout.split())
    heavy = {"aiohttp", "aiokafka", "alembic", "faust", "matplotlib", "mode", "numpy", "sqlalchemy", "torch"}
    assert not heavy & set(loaded.stdout.split())
