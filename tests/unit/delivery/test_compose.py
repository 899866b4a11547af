"""The mail as a client reads it: composed, turned into bytes, parsed again."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any, Literal

import pytest

from streamapp.delivery.compose import Letter, compose
from streamapp.delivery.notice import memory_line, notice
from streamapp.errors import Permanent
from streamapp.resources import JobResource, Progress
from streamapp.tasks.contract import Attachment, Plot, Report

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
NOON = datetime(2025, 5, 12, 12, tzinfo=UTC)
ID = "5e" * 32


def a_job(**changes: Any) -> JobResource:
    """A job that succeeded, but for the changes."""
    values: dict[str, Any] = {
        "id": "0b9e7c1a-5f0e-4f5c-9a51-7bb7f5d1a001",
        "task": "summarize",
        "name": "sherlock.txt",
        "status": "succeeded",
        "progress": Progress(done=3, total=3),
        "position": None,
        "eta_s": None,
        "created_at": NOON,
        "started_at": NOON,
        "finished_at": NOON,
        "report": None,
        "deliveries": [],
        "error": None,
    }
    return JobResource(**(values | changes))


def a_report(**changes: Any) -> Report:
    """A report with a plot and one attachment, but for the changes."""
    values: dict[str, Any] = {
        "subject": "Summary of Sherlock",
        "text": "Chapter 1\n\nTo him she is always the woman.",
        "html": "<h2>Chapter 1</h2><p>To him she is always <em>the</em> woman.</p>",
        "plot": Plot(png=PNG, alt="The tone falls, then rises."),
        "attachments": [Attachment(name="sentences.csv", media_type="text/csv", content="n,é\r\n".encode())],
    }
    return Report(**(values | changes))


def raw(
    job: JobResource | None = None,
    report: Report | None = None,
    event: Literal["succeeded", "failed"] = "succeeded",
    **changes: str,
) -> bytes:
    """The bytes that go over SMTP."""
    values = {
        "delivery_id": ID,
        "sender": "streamapp <streamapp@mail.example.org>",
        "recipient": "mary@example.org",
        "link_base": "https://books.example.org",
    }
    letter = Letter(
        event=event,
        job=job or a_job(),
        report=report or (a_report() if event == "succeeded" else None),
        **(values | changes),
    )
    return compose(letter).content


def read(*args: Any, **changes: Any) -> EmailMessage:
    """The mail as Python's parser sees it, which must find no defect in it."""
    message = email.message_from_bytes(raw(*args, **changes), policy=default)
    assert isinstance(message, EmailMessage)
    assert [defect for part in message.walk() for defect in part.defects] == []
    return message


def body(message: EmailMessage, kind: str) -> str:
    """The text of one alternative."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def outline(part: Any) -> Any:
    """The tree of content types."""
    if part.is_multipart():
        return {part.get_content_type(): [outline(each) for each in part.iter_parts()]}
    return " ".join(filter(None, [part.get_content_type(), part.get_content_disposition()]))


def test_structure_with_a_plot() -> None:
    """Text and HTML are alternatives, the plot is related to the HTML, and attached once more."""
    expected = {
        "multipart/mixed": [
            {"multipart/alternative": ["text/plain", {"multipart/related": ["text/html", "image/png inline"]}]},
            "image/png attachment",
            "text/csv attachment",
        ]
    }
    assert expected == outline(read())


def test_structure_without_a_plot() -> None:
    """A report with neither plot nor files is only the two alternatives."""
    expected = {"multipart/alternative": ["text/plain", "text/html"]}
    assert expected == outline(read(report=a_report(plot=None, attachments=[])))


def test_headers() -> None:
    """The headers that RFC 5322 and RFC 3834 ask for are there, and none of a mailing list."""
    message = read()
    assert message["From"] == "streamapp <streamapp@mail.example.org>"
    assert message["To"] == "mary@example.org"
    assert f"<{ID}@mail.example.org>" == message["Message-ID"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert abs((datetime.now(UTC) - message["Date"].datetime).total_seconds()) < 60
    assert [name for name in message if name.lower().startswith(("list-", "precedence"))] == []
    assert len(message) == len(set(message.keys()))


def test_both_copies_of_the_plot_open() -> None:
    """The HTML's cid names the inline part, and both copies are the PNG with a file name."""
    message = read()
    shown = re.search(r'<img src="cid:([^"]+)"', body(message, "html"))
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert shown is not None
    assert f"<{shown[1]}>" == pictures[0]["Content-ID"]
    assert [part.get_content() for part in pictures] == [PNG, PNG]
    assert {"sherlock-plot.png"} == {part.get_filename() for part in pictures}


def test_blocked_images() -> None:
    """Whoever sees no picture reads what it shows, in the alt text and in the plain text, and where to find it."""
    message = read()
    assert 'alt="The tone falls, then rises."' in body(message, "html")
    assert "What it shows: The tone falls, then rises." in body(message, "plain")
    for kind in ("html", "plain"):
        assert "sherlock-plot.png" in body(message, kind)


def test_related_names_its_root() -> None:
    """multipart/related says which type its root has (RFC 2387)."""
    related = next(part for part in read().walk() if part.get_content_type() == "multipart/related")
    assert related.get_param("type") == "text/html"


def test_link_to_the_page() -> None:
    """Both alternatives lead to the job's page, also when the base ends with a slash."""
    message = read(link_base="https://books.example.org/")
    for kind in ("html", "plain"):
        assert "https://books.example.org/jobs/0b9e7c1a-5f0e-4f5c-9a51-7bb7f5d1a001" in body(message, kind)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.txt",
        '"><img src=x onerror=alert(1)>',
        "a\r\nBcc: victim@example.org",
        "a\nX-Evil: 1\n\nbody",
        "a\x85b\u2028c\x00d\x0be",
        "\u202egnp.exe",
        "Émile & l\u2019été 🎉.txt",
        "ألف ليلة وليلة.txt",
        "x" * 3000,
        "=?utf-8?q?a=0D=0ABcc:_victim@example.org?=",
        "../../etc/passwd",
        "   ",
    ],
)
def test_hostile_names(name: str) -> None:
    """A name never adds a header, a tag, a folder or a line; the mail can be sent and read."""
    quiet = read(a_job(name="x"), a_report(subject="x"))
    for event in ("succeeded", "failed"):
        message = read(a_job(name=name), a_report(subject=name[:200]) if event == "succeeded" else None, event=event)
        assert [each.lower() for each in quiet] == [each.lower() for each in message]
        assert not re.search(r"<(script|img src=x)", body(message, "html"))
        for part in message.walk():
            assert not re.search(r"[\r\n\0/\\\u202e]", part.get_filename() or "")
        assert not re.search(r"[\r\n\0\u202e\u2028]", message["Subject"])


@pytest.mark.parametrize(
    "subject",
    [
        "Résumé : « L\u2019Éducation sentimentale »",
        "🎉 " * 40,
        "ألف ليلة وليلة",
        "très " * 39,
        "a" * 200,
        "紅樓夢" * 60,
        "Plain and é " * 16,
    ],
)
def test_subjects_arrive_unchanged(subject: str) -> None:
    """Accents, emoji, RTL and long subjects come out as they went in, in ASCII lines on the wire."""
    wire = raw(report=a_report(subject=subject)).partition(b"\r\n\r\n")[0]
    assert wire.isascii()
    assert " ".join(subject.split()) == email.message_from_bytes(wire, policy=default)["Subject"]


def test_relay_without_8bitmime_changes_nothing() -> None:
    """Flattened for a server that takes only ASCII, the mail is byte for byte the same."""
    message = email.message_from_bytes(raw(report=a_report(subject="é 🎉", text="ß" * 500)), policy=default)
    ascii_only = message.as_bytes(policy=SMTP.clone(cte_type="7bit", refold_source="none"))
    assert message.as_bytes(policy=SMTP.clone(refold_source="none")) == ascii_only


def test_text_is_utf8_in_short_lines() -> None:
    """Whatever a report holds, the wire is ASCII with CRLF and lines far below 998, and the text arrives."""
    long = "ß" * 5000 + " é 🎉 ليلة " + "<p>" + "w " * 4000
    wire = raw(report=a_report(text=long, html=f"<p>{long}</p>", subject="é" * 190))
    assert wire.isascii()
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert max(map(len, wire.split(b"\r\n"))) <= 100
    message = email.message_from_bytes(wire, policy=default)
    assert isinstance(message, EmailMessage)
    assert "ß" * 5000 in body(message, "plain")
    assert "é 🎉 ليلة" in body(message, "html")


def test_plain_text_is_wrapped() -> None:
    """Prose is wrapped at 72, a list hangs, an address stays whole, and the signature's mark keeps its blank."""
    url = "https://example.org/" + "p" * 90
    text = "word " * 40 + f"\n\n- {'item ' * 30}\n\n{url}"
    lines = body(read(report=a_report(text=text)), "plain").splitlines()
    assert url in lines
    assert "-- " in lines
    assert max(len(line) for line in lines if url not in line) <= 72
    assert [line for line in lines if line.startswith("  item item")]


def test_sixty_one_chapters() -> None:
    """A whole novel's summary arrives complete in both alternatives."""
    titles = [f"Chapter {number}" for number in range(1, 62)]
    message = read(
        report=a_report(
            text="\n\n".join(f"{title}\n\nOne whole sentence." for title in titles),
            html="".join(f"<h2>{title}</h2><p>One whole sentence.</p>" for title in titles),
        )
    )
    for kind in ("html", "plain"):
        assert titles == re.findall(r"Chapter \d+", body(message, kind))


def test_report_without_html_is_escaped() -> None:
    """A report that has only text is shown as text in the HTML too."""
    html = body(read(report=a_report(html=None, text="1 < 2 & <b>x</b>\nline\n\nnext")), "html")
    assert "<p>1 &lt; 2 &amp; &lt;b&gt;x&lt;/b&gt;<br>line</p>" in html
    assert "<p>next</p>" in html


def test_attachments() -> None:
    """An attachment keeps its bytes and its type; text says its charset; what can't be declared is bytes."""
    given = [
        ("b.csv", "text/csv", "é".encode(), "text/csv"),
        ("c.txt", "text/plain", b"\xff\xfe", "application/octet-stream"),
        ("d.eml", "message/rfc822", b"Subject: x\r\n\r\ny", "application/octet-stream"),
        ("e", "text/html\r\nX-Evil: 1", b"z", "application/octet-stream"),
        ("ü\r\n/f.json", "application/json", b"{}", "application/json"),
    ]
    files = [Attachment(name=name, media_type=kind, content=content) for name, kind, content, _ in given]
    parts = list(read(report=a_report(plot=None, attachments=files)).iter_attachments())
    assert [kind for *_, kind in given] == [part.get_content_type() for part in parts]
    assert [content for *_, content, _ in given] == [part.get_payload(decode=True) for part in parts]
    assert parts[0].get_content_charset() == "utf-8"
    assert parts[4].get_filename() == "ü -f.json"


def test_failure_says_what_to_do() -> None:
    """The mail about a failed job has the reason, escaped, what to do and the job's number, and no attachment."""
    message = read(a_job(status="failed", error="Not UTF-8: <0xff>\nSave it again."), event="failed")
    assert message["Subject"] == "“sherlock.txt” could not be finished"
    assert list(message.iter_attachments()) == []
    assert "Not UTF-8: <0xff>\nSave it again." in body(message, "plain")
    assert "Not UTF-8: &lt;0xff&gt;<br>Save it again." in body(message, "html")
    for kind in ("html", "plain"):
        assert "What you can do" in body(message, kind)
        assert "0b9e7c1a-5f0e-4f5c-9a51-7bb7f5d1a001" in body(message, kind)


@pytest.mark.parametrize(
    ("error", "started", "advice", "other"),
    [
        ("the task's own code raised KeyError: 'oops'", NOON, "mistake in the program", "send it again as it is"),
        ("The PDF is damaged.", None, "the same document will hardly do better", "many failures pass"),
        ("A chunk failed.", NOON, "many failures pass", "hardly do better"),
    ],
)
def test_what_to_do_is_what_the_page_says(error: str, started: datetime | None, advice: str, other: str) -> None:
    """I expect nobody to be told to send again what would meet the same once more."""
    message = read(a_job(status="failed", error=error, started_at=started), event="failed")
    for kind in ("html", "plain"):
        said = " ".join(body(message, kind).split())
        assert advice in said
        assert other not in said


def test_failure_never_shows_a_report() -> None:
    """A failed job's mail holds no report, even when a partial one is passed."""
    assert read(a_job(status="failed"), a_report(), event="failed").get_content_type() == "multipart/alternative"


def test_expired_is_said() -> None:
    """A job that ran out of time is told apart from one that broke."""
    message = read(a_job(status="expired"), event="failed")
    assert message["Subject"] == "“sherlock.txt” was not finished in time"
    assert "later deadline" in body(message, "plain")


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "=?utf-8?q?a=0D=0A?=@example.org\nBcc: x",
        "nobody",
        "@example.org",
        "a@b@example.org, c@example.org",
        "a@example.org, b@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "Mary <mary@example.org>",
        "a b@example.org",
        "a@ex\x00ample.org",
        "a@.example..org",
    ],
)
def test_recipients_that_are_refused(recipient: str) -> None:
    """What is not exactly one bare address never becomes a mail."""
    with pytest.raises(Permanent):
        raw(recipient=recipient)


@pytest.mark.parametrize(
    "sender", ["no address", "a@example.org\r\nBcc: b@example.org", "a@example.org, b@example.org"]
)
def test_senders_that_are_refused(sender: str) -> None:
    """A wrong sender is refused as well."""
    with pytest.raises(Permanent):
        raw(sender=sender)


@pytest.mark.parametrize("delivery_id", ["", "a b", "a>\r\nBcc: x", "a@b", "é"])
def test_delivery_ids_that_are_refused(delivery_id: str) -> None:
    """An id that can't be part of a Message-ID is refused."""
    with pytest.raises(Permanent):
        raw(delivery_id=delivery_id)


def test_success_needs_a_report() -> None:
    """There is no mail about a success without a report, and no notice."""
    with pytest.raises(Permanent):
        compose(Letter(ID, "a@b.org", "c@d.org", "succeeded", a_job(), None, ""))
    with pytest.raises(ValueError, match="report"):
        notice("succeeded", a_job(), None)


def test_international_addresses() -> None:
    """A domain travels in ASCII; a local part outside ASCII makes the headers UTF-8 (RFC 6532)."""
    assert "streamapp@xn--bcher-kva.example" in read(sender="Bücher <streamapp@bücher.example>")["From"]
    assert "To: müller@xn--bcher-kva.example".encode() in raw(recipient="müller@bücher.example")
    assert raw(sender="Bücher <streamapp@bücher.example>").isascii()


def test_message_id_stays_itself_under_a_long_domain() -> None:
    """A long Message-ID is never encoded or broken: it is what mail clients find duplicates by."""
    domain = ".".join(["very-long-label-of-a-domain"] * 6) + ".org"
    assert f"<{ID}@{domain}>".encode() in raw(sender=f"a@{domain}")


def test_same_delivery_same_message_id() -> None:
    """Sent again, a mail has the same Message-ID; another delivery has another."""
    assert read()["Message-ID"] == read()["Message-ID"]
    assert read()["Message-ID"] != read(delivery_id="6f" * 32)["Message-ID"]


def test_notice_of_a_success() -> None:
    """The inbox shows the report's subject, the job's name and how the report begins, shortly."""
    title, text = notice("succeeded", a_job(), a_report(text="First words. " * 100))
    assert title == "Summary of Sherlock"
    assert text.startswith("“sherlock.txt” is ready.\nFirst words.")
    assert len(text) < 400


def test_a_failure_was_not_answered() -> None:
    """I expect what was remembered of a job that failed to be told of as parts, also where it was all of them."""
    job = a_job(status="failed", remembered=3, remembered_at=NOON)
    assert memory_line(job) == "3 of 3 parts were answered from memory of 12 May 2025."


def test_notice_of_a_failure() -> None:
    """The inbox shows what could not be finished, and why, in one clean line each."""
    title, text = notice("failed", a_job(name="a\r\nb", status="failed", error="The reason."), None)
    assert (title, text) == ("“a b” could not be finished", "The reason.")


@pytest.mark.parametrize(
    ("remembered", "line"),
    [(3, "Answered from memory of 12 May 2025."), (1, "1 of 3 parts were answered from memory of 12 May 2025.")],
)
def test_it_says_what_was_remembered(remembered: int, line: str) -> None:
    """Both bodies, in one sentence; and not a word of it when all was computed."""
    job = a_job(remembered=remembered, remembered_at=NOON)
    message = email.message_from_bytes(raw(job), policy=default)
    plain = email.message_from_bytes(raw(), policy=default)
    for kind in ("plain", "html"):
        body, other = message.get_body((kind,)), plain.get_body((kind,))
        assert body is not None
        assert other is not None
        assert line in body.get_content()
        assert "memory" not in other.get_content()
