"""What a run finds wrong, and what it says at its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fuzz.mix import shares
from fuzz.shot import Shot
from fuzz.strangers import answers_differ
from fuzz.table import Result
from fuzz.tally import Finding, Line, Tally, wrong_with
from fuzz.watch import Health, Memory, floors, growth, tracebacks
from fuzz.wire import Answer, answers_in

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = Shot((b"GET / HTTP/1.1\r\n\r\n",))


def _result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "seed": 7,
        "seconds": 60.0,
        "requests": 100_000,
        "lines": {"bent": Line(100_000, {"2xx": 40_000, "4xx": 60_000}, 1.5, "bent/3")},
        "findings": [],
        "tracebacks": {},
        "health": Health(900, 900, 0.2),
        "floors": [(0, 120_000_000), (90_000, 124_000_000)],
        "growth": 450_000.0,
        "files": (40, 41),
        "routes": 45,
        "all_routes": 45,
    }
    return Result(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({"findings": [Finding("bent/3", "answered 500")]}, ["nothing was found"]),
        ({"lines": {"bent": Line(1, {"5xx": 1})}}, ["no 5xx"]),
        ({"tracebacks": {"KeyError: 'a'": 1}}, ["no traceback"]),
        ({"health": Health(900, 899)}, ["the health check answers"]),
        ({"health": Health(0, 0)}, ["the health check answers"]),
        ({"growth": 1_000_000.0}, ["less than 1 MB of growth per 10,000 requests"]),
        ({"growth": None, "floors": [(0, 10**8), (1000, 2 * 10**8)]}, ["less than 1 MB of growth per 10,000 requests"]),
        ({"growth": None}, []),
        ({"files": (40, 90)}, ["no file stays open"]),
        ({"routes": 44}, ["every route is met"]),
        ({"works": False}, ["it works afterwards"]),
    ],
)
def test_each_promise_can_be_broken(changes: dict[str, Any], broken: list[str]) -> None:
    """And is named then."""
    result = _result(**changes)

    assert result.broken == broken
    assert result.good is not bool(broken)


def test_the_result_is_written_as_json_too(tmp_path: Path) -> None:
    """Beside the tables lies all of it, the bytes of each finding too."""
    result = _result(findings=[Finding("bent/3", "answered 500", "b'GET'", "b'HTTP'")])
    result.write(tmp_path / "new" / "fuzz.md")

    written = json.loads((tmp_path / "new" / "fuzz.json").read_text())
    assert written["findings"][0]["sent"] == "b'GET'"
    assert written["lines"]["bent"]["classes"] == {"2xx": 40_000, "4xx": 60_000}
    assert "| bent | 100,000 | 40,000 | 0 | 60,000 | 0 | 0 | 1.50 |" in (tmp_path / "new" / "fuzz.md").read_text()


@pytest.mark.parametrize(
    ("data", "head_only", "statuses", "strange"),
    [
        (OK, False, (200,), b""),
        (OK + OK, False, (200, 200), b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, False, (200,), b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + OK, False, (200, 200), b""),
        (OK[:-2], True, (200,), b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nok", False, (200,), b""),  # where listening ended
        (b"", False, (), b""),
        (b"SSH-2.0\r\n", False, (), b"SSH-2.0\r\n"),
        (OK + b"more", False, (200,), b"more"),
    ],
)
def test_answers_are_counted(data: bytes, head_only: bool, statuses: tuple[int, ...], strange: bytes) -> None:
    """As a client would read them one after the other."""
    assert answers_in(data, head_only=head_only) == (statuses, strange)


@pytest.mark.parametrize(
    ("shot", "answer", "what"),
    [
        (GET, Answer((200,), 0.1, "closed"), ""),
        (GET, Answer((500,), 0.1, "closed"), "answered 500"),
        (GET, Answer((503,), 0.1, "closed"), "answered 503"),
        (GET, Answer((200, 200), 0.1, "closed"), "2 answers, where 1 may come"),
        (GET, Answer((), 30.0, "silence"), "no answer: silence after 30.0 s"),
        (GET, Answer((), 0.1, "closed"), "no answer: closed after 0.1 s"),
        (GET, Answer((), 0.1, "reset"), ""),
        (GET, Answer((200,), 0.1, "closed", strange=b"x"), "what came is no HTTP"),
        (Shot((b"",), silent=True), Answer((), 1.0, "silence"), ""),
        (Shot((b"",), silent=True), Answer((500,), 1.0, "closed"), "answered 500"),
    ],
)
def test_what_is_wrong_with_an_answer(shot: Shot, answer: Answer, what: str) -> None:
    """Whatever was sent: an answer that is none, that is ours to blame, or one too many."""
    assert wrong_with(shot, answer) == what


def test_a_finding_has_the_bytes_that_made_it() -> None:
    """And the name that draws them again."""
    tally = Tally()
    tally.shot("bent/3", GET, Answer((500,), 0.1, "closed", b"HTTP/1.1 500"))

    (found,) = tally.findings
    assert (found.name, found.sent) == ("bent/3", repr(GET.sent))
    assert tally.lines["bent"].classes == {"5xx": 1}


def _memory(per_request: float, noise: int = 0) -> list[Memory]:
    return [Memory(sent, int(1e8 + sent * per_request + (sent % 3) * noise)) for sent in range(0, 100_000, 500)]


def test_growth_is_what_stays() -> None:
    """What passes through is none, one that is held on to is, and what came while it warmed up does not count."""
    assert growth(_memory(0.0, noise=9_000_000), 20_000) == 0.0
    assert growth(_memory(150.0), 20_000) == pytest.approx(1.5e6)
    warming = [Memory(each.requests, each.rss + min(each.requests, 20_000) * 900) for each in _memory(0.0)]
    assert growth(warming, 20_000) == 0.0
    assert growth(_memory(1.0)[:3], 0) is None
    assert [each.requests for each in floors(_memory(1.0))] == list(range(0, 100_000, 10_000))


def test_tracebacks_are_found_in_a_log(tmp_path: Path) -> None:
    """By the line that says what was raised, between others."""
    log = tmp_path / "log"
    trace = "Traceback (most recent call last):\n  File \"a.py\", line 1, in b\n    c\n    ^\nKeyError: 'd'\n"
    log.write_text(f"[2026] [INFO] x\n[2026] [ERROR] y\n{trace}[2026] [INFO] z\n{trace}")

    assert tracebacks(log) == {"KeyError: 'd'": 2}


def test_answers_about_anothers_differ_in_the_id_alone() -> None:
    """Else it would be told apart from what is not there."""
    ids = ("01a2153a-60cf-76d6-ab9c-7f58201d9db5", "3f2b8a54-6f4a-4347-88df-88630e4e5895")
    hers, nobodys = (Shot((f"GET /v1/jobs/{each} HTTP/1.1\r\n\r\n".encode(),)) for each in ids)

    def said(each: str, words: str, date: int) -> bytes:
        return f"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nDate: {date}\r\n\r\nno {each} {words}".encode()

    assert not answers_differ((hers, said(ids[0], "here", 1)), (nobodys, said(ids[1], "here", 2)))
    assert answers_differ((hers, said(ids[0], "of yours", 1)), (nobodys, said(ids[1], "here", 1)))
    assert answers_differ((hers, said(ids[0], "here", 1)), (nobodys, said(ids[1], "here", 1).replace(b"404", b"403")))


@pytest.mark.parametrize("count", [1, 200, 2000, 10_000, 100_000])
def test_the_shares_are_all_there_is(count: int) -> None:
    """No generator is left out of a long run, and none sends more than was asked for."""
    parts = shares(count)

    assert sum(parts.values()) == count
    assert min(parts.values()) > 0 or count < 10_000
