"""A job's stream over broken connections, and waiting by it and without it; no time passes."""

from __future__ import annotations

import httpx
import pytest

from streamapp.client import ApiError, ApiUnreachable, JobEvent, Policy, WaitTimeout
from streamapp.event_resources import DoneEvent, ProgressEvent
from tests.unit.client.world import ID, Outcome, World, done, event, job, problem

OPENING = b"retry: 1500\nid: p0\n\n"
BEAT = b":\n\n"
FULL = problem(503, "2000 streams are open.", Retry_After="2")
DELIVERY = {
    "id": "d",
    "kind": "email",
    "recipient": "a@b.c",
    "state": "sent",
    "attempts": 1,
    "last_error": None,
    "next_attempt_at": None,
    "sent_at": None,
}


def places(events: list[JobEvent]) -> list[str]:
    """Their ids."""
    return [each.id for each in events]


def last_ids(world: World) -> list[str | None]:
    """From where each connection went on."""
    return [request.headers.get("Last-Event-ID") for request in world.asked]


def test_to_the_end(how: str) -> None:
    """Typed events, with those left out that only a later version knows; it ends with the job."""
    world = World(how)
    told = (
        event("p1", "progress", done=1) + event("p2", "sung", tune="la") + BEAT + done("p3") + event("p4", "progress")
    )
    world.script = [world.stream(OPENING, told)]
    first, last = world("stream", ID)
    assert first == JobEvent("p1", "progress", ProgressEvent(job_id=ID, status="running", done=1, total=3))
    assert isinstance(last.data, DoneEvent)
    assert (last.id, last.data.status) == ("p3", "succeeded")
    assert world.asked[0].url.path == f"/v1/jobs/{ID}/events"


@pytest.mark.parametrize(
    "cut", [httpx.ReadError("reset"), httpx.RemoteProtocolError("incomplete"), httpx.ReadTimeout("")]
)
def test_a_connection_that_breaks(how: str, cut: httpx.RequestError) -> None:
    """It goes on behind the last whole event: no gap and no repeat, also when it breaks again before one."""
    world = World(how)
    world.script = [
        world.stream(OPENING, event("p1", "progress", done=1), event("p2", "progress", done=2)[:-1], cut),
        httpx.ConnectError("refused"),
        world.stream(b"retry: 1500\n\n", cut),
        world.stream(event("p2", "progress", done=2), done("p3")),
    ]
    assert places(world("stream", ID)) == ["p1", "p2", "p3"]
    assert last_ids(world) == [None, "p1", "p1", "p1"]


def test_before_the_first_event(how: str) -> None:
    """The place that the stream begins with counts."""
    world = World(how)
    world.script = [world.stream(OPENING, httpx.ReadError("reset")), world.stream(done("p1"))]
    assert places(world("stream", ID)) == ["p1"]
    assert last_ids(world) == [None, "p0"]


def test_a_worker_that_stops(how: str) -> None:
    """It ends its streams in order and says when to come again."""
    world = World(how)
    world.script = [world.stream(OPENING, event("p1", "progress")), world.stream(done("p2"))]
    assert places(world("stream", ID)) == ["p1", "p2"]
    assert world.slept == [1.5]


def test_no_stream_now(how: str) -> None:
    """It comes again when it is told to."""
    world = World(how)
    world.script = [FULL, world.stream(done("p1"))]
    assert places(world("stream", ID)) == ["p1"]
    assert world.slept == [2.0]


def test_from_an_event_that_was_read_before(how: str) -> None:
    """By whomever; 204 says that it was the last."""
    world = World(how, httpx.Response(204))
    assert world("stream", ID, last_event_id="p9") == []
    assert last_ids(world) == ["p9"]


def test_with_deliveries(how: str) -> None:
    """To the last of them, which the API says by 204; it is asked at once."""
    world = World(how)
    world.script = [
        world.stream(OPENING, done("p1"), event("p2", "delivery", **DELIVERY)),
        httpx.Response(204),
    ]
    assert places(world("stream", ID, deliveries=True)) == ["p1", "p2"]
    assert (last_ids(world), world.slept) == ([None, "p2"], [0.0])


def test_a_stream_of_nothing(how: str) -> None:
    """A server that only opens and ends is not asked for ever, nor one that was never there."""
    world = World(how)
    world.script = [world.stream() for _ in range(6)]
    with pytest.raises(ApiUnreachable, match="ends before its job"):
        world("stream", ID)
    world.script = [httpx.ConnectError("refused")] * 6
    with pytest.raises(ApiUnreachable, match="Nothing answers"):
        world("stream", ID)


def test_it_is_looked_for_patiently(how: str) -> None:
    """Once it was heard, for `patience_s`, however many attempts that takes."""
    world = World(how)
    world.script = [world.stream(OPENING, httpx.ReadError("reset")), *[httpx.ConnectError("refused")] * 200]
    with pytest.raises(ApiUnreachable):
        world("stream", ID, policy=Policy(attempts=2, patience_s=100.0))
    assert len(world.asked) > 20
    assert 95.0 < sum(world.slept) < 105.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem(404, "There is no such job."), "no such job"),
        (httpx.Response(200, html="<h1>Welcome</h1>"), "no text/event-stream"),
    ],
)
def test_no_such_stream(how: str, answer: httpx.Response, words: str) -> None:
    """Is said at once."""
    world = World(how, answer)
    with pytest.raises(ApiError, match=words):
        world("stream", ID)
    assert len(world.asked) == 1


def test_an_event_that_is_none(how: str) -> None:
    """Is not left out in silence."""
    world = World(how)
    world.script = [world.stream(b"id: p1\nevent: done\ndata: {}\n\n")]
    with pytest.raises(ApiError, match="an event is not as it should be"):
        world("stream", ID)


def test_waiting_by_the_stream(how: str) -> None:
    """Without asking in between; the job is asked for at the end, at once."""
    world = World(how)
    world.script = [job(), world.stream(OPENING, 600.0, BEAT, event("p1", "progress"), done("p2")), job("failed")]
    assert world("wait", ID).status == "failed"
    assert [request.url.path.rpartition("/")[2] for request in world.asked] == [ID, "events", ID]
    assert world.slept == [0.0]


def test_a_job_that_has_ended(how: str) -> None:
    """It is asked for once."""
    world = World(how, job("succeeded"))
    assert world("wait", ID, timeout_s=0).status == "succeeded"
    assert len(world.asked) == 1


def test_waiting_where_there_is_no_stream(how: str) -> None:
    """After three vain attempts it only asks, and ever less often."""
    world = World(how)
    no: list[Outcome] = [httpx.ConnectError("refused"), httpx.Response(200, html="a proxy's page"), FULL]
    asking: list[Outcome] = [each for answer in no for each in (job(), answer)]
    world.script = [*asking, *[job("running") for _ in range(10)], job("succeeded")]
    assert world("wait", ID).status == "succeeded"
    assert [request.url.path.endswith("events") for request in world.asked[6:]] == [False] * 11
    assert max(world.slept) <= 2.0
    assert world.slept[-1] >= 1.0


def test_a_stream_later(how: str) -> None:
    """It is opened no sooner than it was told to be; meanwhile the job is asked for."""
    world = World(how)
    opened = []

    def stream(request: httpx.Request) -> httpx.Response:
        opened.append(world.clock)
        return world.stream(done("p1"))

    def either(request: httpx.Request) -> httpx.Response:
        return stream(request) if request.url.path.endswith("events") else job("succeeded" if opened else "running")

    world.script = [job(), FULL, *[either] * 20]
    assert world("wait", ID).status == "succeeded"
    assert opened[0] >= 1002.0
    assert len(world.asked) > 5


def test_a_wait_minds_when_to_come_again(how: str) -> None:
    """Also when that leads beyond its end: then it looks once more, and not every now and then."""
    world = World(how)
    world.script = [job(), *[problem(503, Retry_After="15")] * 2, job("running")]
    with pytest.raises(WaitTimeout):
        world("wait", ID, timeout_s=20.0)
    assert not world.script
    assert world.clock == pytest.approx(1020.0)


def test_a_wait_that_is_told_to_come_much_later(how: str) -> None:
    """That is the caller's to decide."""
    world = World(how)
    world.script = [job(), world.stream(done("p1")), problem(429, Retry_After="900")]
    with pytest.raises(ApiError, match="429"):
        world("wait", ID)


def test_an_end_that_cannot_be_read_yet(how: str) -> None:
    """It is told, and the worker goes away: the job is asked for with pauses."""
    world = World(how)
    world.script = [job(), world.stream(done("p1")), *[problem(503)] * 60, job("succeeded")]
    assert world("wait", ID).status == "succeeded"
    assert world.slept.count(0.0) == 1


def test_the_timeout(how: str) -> None:
    """It is kept, with a stream open till near it; the error has the job as it was last."""
    world = World(how)
    beats = [each for _ in range(20) for each in (15.0, BEAT)]
    world.script = [
        job(),
        world.stream(OPENING, *beats),
        *[job("running", progress={"done": 2, "total": 9}) for _ in range(100)],
    ]
    with pytest.raises(WaitTimeout, match=r"not ended within 100 s: it is running, 2 of 9\. It goes on") as raised:
        world("wait", ID, timeout_s=100.0)
    assert raised.value.job.progress.done == 2
    assert isinstance(raised.value, TimeoutError)
    assert world.clock == pytest.approx(1100.0)
    assert [request.url.path.endswith("events") for request in world.asked].count(True) == 1


def test_a_short_timeout(how: str) -> None:
    """It is spent asking."""
    world = World(how, *[job("running") for _ in range(100)])
    with pytest.raises(WaitTimeout):
        world("wait", ID, timeout_s=5.0)
    assert world.clock == pytest.approx(1005.0)
    assert not any(request.url.path.endswith("events") for request in world.asked)


def test_a_worker_that_is_away_for_a_while(how: str) -> None:
    """Nobody who waits is told."""
    world = World(how)
    away = [httpx.ConnectError("refused")] * 30
    world.script = [job(), world.stream(OPENING, httpx.ReadError("reset")), *away, job(), world.stream(done("p1"))]
    world.script.append(job("succeeded"))
    assert world("wait", ID).status == "succeeded"


def test_a_worker_that_never_comes_back(how: str) -> None:
    """After `patience_s` it is said; and at once where there never was one."""
    world = World(how)
    world.script = [job(), httpx.ConnectError("refused"), *[httpx.ConnectError("refused")] * 500]
    with pytest.raises(ApiUnreachable):
        world("wait", ID, policy=Policy(patience_s=60.0))
    assert 55.0 < world.clock - 1000.0 < 80.0
    world = World(how, *[httpx.ConnectError("refused")] * 6)
    with pytest.raises(ApiUnreachable):
        world("wait", ID)


def test_the_timeout_while_it_is_away(how: str) -> None:
    """It is the timeout that is told, and it is kept."""
    world = World(how)
    world.script = [job(), httpx.ReadError("reset"), *[httpx.ConnectError("refused")] * 500]
    with pytest.raises(WaitTimeout):
        world("wait", ID, timeout_s=50.0)
    assert world.clock == pytest.approx(1050.0)


def test_a_job_that_was_removed(how: str) -> None:
    """There is nothing to wait for."""
    world = World(how, job(), problem(404), problem(404))
    with pytest.raises(ApiError, match="404"):
        world("wait", ID)


def test_a_job_that_begins_again(how: str) -> None:
    """It ended and was retried before it was asked for: the next run is waited for."""
    world = World(how)
    world.script = [job(), world.stream(done("p1", "failed")), job("queued", run=2)]
    world.script += [world.stream(event("q1", "progress"), done("q2")), job("succeeded", run=2)]
    assert world("wait", ID).run == 2
