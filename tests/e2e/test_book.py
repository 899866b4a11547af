"""A whole book goes in; an e-mail with its plot, a notification and a report come out."""

from __future__ import annotations

import io
import re
import time
import uuid
from email.message import EmailMessage
from pathlib import Path

import pytest
from PIL import Image

from streamapp.testing.deployment import FINAL, Deployment

pytestmark = pytest.mark.timeout(600)

BOOK_S = 300.0


def _folded(text: str) -> str:
    return " ".join(text.split())


def _sentences(report: dict[str, object]) -> list[str]:
    data = report["data"]
    assert isinstance(data, dict)
    return [sentence["text"] for chapter in data["chapters"] for sentence in chapter["summary"]]


def _part(mail: EmailMessage, kind: str) -> EmailMessage:
    return next(part for part in mail.walk() if part.get_content_type() == kind)


def test_a_book_posted_as_json_becomes_a_report_a_mail_and_a_notification(deployment: Deployment, books: Path) -> None:
    """202 with Location, 200 at once, rising progress; the book's own words, one mail, one notification."""
    text = (books / "sherlock-holmes.txt").read_text(encoding="utf-8")
    body = {"task": "summarize", "text": text, "email": "reader@example.org"}
    key = {"Idempotency-Key": str(uuid.uuid4())}

    answer = deployment.http.post("/v1/jobs", json=body, headers=key)
    job = answer.json()["id"]

    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{job}")
    assert deployment.http.get(f"/v1/jobs/{job}").status_code == 200
    assert deployment.http.get(f"/v1/jobs/{uuid.uuid4()}").status_code == 404
    assert deployment.http.post("/v1/jobs", json=body, headers=key).json()["id"] == job
    assert deployment.http.post("/v1/jobs", json={**body, "priority": 1}, headers=key).status_code == 422

    seen = []
    end = time.monotonic() + BOOK_S
    while (state := deployment.job(job))["status"] not in FINAL and time.monotonic() < end:
        seen.append(state["progress"]["done"])
        time.sleep(0.5)

    assert state["status"] == "succeeded", state["error"]
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert state["progress"]["done"] == state["progress"]["total"] > 5000

    _assert_in_the_books_words(_sentences(state["report"]), text)
    mails = [mail for mail in deployment.mails(1) if mail["To"] == "reader@example.org"]
    assert len(mails) == 1
    _assert_mail(mails[0], state["report"])
    lines = [line for line in deployment.http.get("/v1/notifications").json()["items"] if line["job_id"] == job]
    assert [line["event"] for line in lines] == ["succeeded"]


def test_a_book_posted_as_a_form_is_the_same(deployment: Deployment, books: Path) -> None:
    """What `curl -F file=@book.txt` sends is accepted; the report is in this book's words too."""
    path = books / "pride-and-prejudice.txt"
    form = {"task": "summarize", "params": '{"sentences_per_chapter": 1}'}
    answer = deployment.http.post("/v1/jobs", data=form, files={"file": (path.name, path.read_bytes(), "text/plain")})

    assert answer.status_code == 202
    job = deployment.finished(answer.json()["id"], BOOK_S)
    assert (job["status"], job["name"]) == ("succeeded", path.name)
    sentences = _sentences(job["report"])
    assert len(sentences) == 61
    _assert_in_the_books_words(sentences, path.read_text(encoding="utf-8"))
    assert job["deliveries"][0]["kind"] == "notification"


def _assert_in_the_books_words(sentences: list[str], text: str) -> None:
    """Each sentence stands in the book, whole, and they come in its order."""
    book = _folded(text)
    place = 0
    for sentence in sentences:
        found = book.find(sentence, place)
        assert found >= 0, f"not in the book, or not in its order: {sentence}"
        place = found + len(sentence)
        assert re.search(r"[.!?…][\"'”’)_*]*$", sentence), f"not whole: {sentence}"
        assert not re.match(r"(CHAPTER|Chapter|ADVENTURE) [IVXLC\d]+", sentence), f"a heading: {sentence}"


def _assert_mail(mail: EmailMessage, report: dict[str, object]) -> None:
    kinds = [part.get_content_type() for part in mail.walk()]
    assert "multipart/alternative" in kinds
    assert kinds.index("text/plain") < kinds.index("text/html")
    html = _part(mail, "text/html").get_content()
    plain = _part(mail, "text/plain").get_content()
    for sentence in _sentences(report):
        assert sentence in _folded(plain)
    assert "�" not in plain + html
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    inline = next(part for part in pictures if part.get_content_disposition() == "inline")
    assert f"cid:{inline['Content-ID'].strip('<>')}" in html
    assert re.search(r'<img[^>]+alt="[^"]{40,}"', html)
    assert any(part.get_content_disposition() == "attachment" and part.get_filename() for part in pictures)
    assert Image.open(io.BytesIO(inline.get_content())).size[0] >= 800
