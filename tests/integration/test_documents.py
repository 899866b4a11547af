"""Books as people have them, through the real broker: every kind of file, and what is no book after all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from streamapp.book import Book, Chapter
from streamapp.testing.deployment import Deployment
from tests.unit.documents import make

SETTINGS = {
    "STREAMAPP_ONLY_TASKS": '["reading"]',
    "STREAMAPP_DEFAULT_TASK": "reading",
    "STREAMAPP_TASKS": "tests.integration.reading_task:Reading",
    "STREAMAPP_DEVICE": "cpu",
}
PROSE = "It rained in the morning, and nobody came up the road until the post did."
RAIN = [f"It rained on {'abdefghjkm'[day % 10] * (day // 10 + 1)}, too." for day in range(90)]  # no two lines alike
BOOK = Book("The Road", [Chapter("Rain", RAIN), Chapter("Post", [PROSE])])
READ = f"[Rain] {' '.join(RAIN)} [Post] {PROSE} "
FILES = {"a.md": make.markdown, "a.html": make.html, "a.epub": make.epub, "a.docx": make.docx, "a.pdf": make.pdf}
PICTURES = make.pdf(Book("", [Chapter("", [])]))


def send(deployment: Deployment, name: str, content: bytes, kind: str = "application/octet-stream") -> httpx.Response:
    """As a browser that does not know the kind of file."""
    parts: list[tuple[str, Any]] = [("task", (None, "reading")), ("file", (name, content, kind))]
    return deployment.http.post("/v1/jobs", files=[*parts, ("email", (None, "reader@localhost"))])


def test_books_in_files(broker: str, tmp_path: Path) -> None:
    """I expect the same chapters of each kind; a reason at once or by mail for what is none; and work to go on."""
    with Deployment(broker, tmp_path, SETTINGS) as deployment:

        def read(name: str, content: bytes) -> dict[str, Any]:
            answer = send(deployment, name, content)
            assert answer.status_code == 202, answer.text
            return deployment.finished(answer.json()["id"])

        for name, write in FILES.items():
            job = read(name, write(BOOK))
            assert (job["status"], job["error"]) == ("succeeded", None)
            assert job["report"]["text"] == READ, name

        told = send(deployment, "a.epub", make.pdf(BOOK), "application/epub+zip")
        assert told.status_code == 422
        assert "said to be EPUB, and looks like PDF" in told.json()["detail"]
        assert send(deployment, "a.docx", make.docx(BOOK)[:500]).status_code in (415, 422)
        assert "PDF is damaged" in send(deployment, "a.pdf", b"%PDF-1.7\n" + bytes(500)).json()["detail"]

        bad = read("scanned.pdf", PICTURES)
        assert bad["status"] == "failed"
        assert "may be scanned" in bad["error"]
        assert read("deep.html", b"<html>" + b"<div>" * 5000)["status"] == "failed"
        assert read("again.epub", make.epub(BOOK))["status"] == "succeeded"
        bodies = [mail.get_body(("plain",)) for mail in deployment.mails(8)]
        assert sum("may be scanned" in body.get_content() for body in bodies if body is not None) == 1
        page = deployment.http.get("/").text
        assert 'accept="text/plain,.txt,.text,text/markdown,.md,.markdown,text/html,.html,.htm' in page
        assert "takes plain text, Markdown, HTML, XHTML, EPUB, PDF, DOCX" in page
