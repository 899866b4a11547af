"""A file that is a book is decoded before a task that takes books splits it, and for no other."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from streamapp.book import Book, Chapter
from streamapp.errors import BadDocument
from streamapp.jobs import taskwork
from streamapp.jobs.taskwork import Assignment, Begun
from streamapp.jobs.workshop import Workshop
from streamapp.settings import Settings
from streamapp.tasks import BOOK_FILES, Document, Params, Predictor, Report, Result, Step, Task, book_of
from tests.unit.documents import make
from tests.unit.jobs.task_fixtures import Length, Letters

HERE = "tests.unit.jobs.test_taskwork_documents"
BOOK = Book("The Road", [Chapter("Rain", ["It rained."]), Chapter("Post", ["It came.", "At last."])])
EPUB = "application/epub+zip"


class ReadStep(Step[Document, Letters, Report, Params]):
    """An item for each paragraph of a book; of anything else its type."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (Length,)

    def split(self, source: Document, params: Params) -> Iterable[Letters]:
        """The items."""
        book = book_of(source)
        if book is None:
            return [Letters(text=source.media_type)]
        return [Letters(text=f"{each.heading}: {text}") for each in book.chapters for text in each.paragraphs]

    def reduce(self, results: Iterable[Result[Letters]], params: Params) -> Report:
        """How many there were."""
        return Report(subject="Read", text=str(len(list(results))))


class Reads(Task):
    """Takes books."""

    name: ClassVar[str] = "reads"
    accepts: ClassVar[Sequence[str]] = ("text/plain", *BOOK_FILES)
    books: ClassVar[bool] = True
    params: ClassVar[type[BaseModel]] = Params
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (ReadStep(),)


class Unpacks(Reads):
    """Takes the files as they are."""

    name: ClassVar[str] = "unpacks"
    books: ClassVar[bool] = False


def config(home: Path, **changes: Any) -> Settings:
    """With these tasks."""
    return Settings(home=home, tasks=(f"{HERE}:Reads", f"{HERE}:Unpacks"), only_tasks=("reads", "unpacks"), **changes)


def assignment(content: bytes, media_type: str = EPUB, task: str = "reads") -> Assignment:
    """A job on this file."""
    return Assignment(task, "{}", "data:;base64," + base64.b64encode(content).decode(), media_type, len(content))


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as the workshop's."""
    monkeypatch.setattr(taskwork, "_desk", None)
    taskwork.open_desk(config(tmp_path))


def begun(job: Assignment) -> str:
    """The items of the first step."""
    outcome = taskwork.begin(job)
    assert isinstance(outcome, Begun)
    return b"".join(chunk.items for chunk in outcome.chunks).decode()


def test_a_task_that_takes_books_gets_chapters() -> None:
    """The items alone travel, and not the document."""
    assert begun(assignment(make.epub(BOOK))) == (
        '[{"text":"Rain: It rained."},{"text":"Post: It came."},{"text":"Post: At last."}]'
    )


def test_markdown_is_a_book_too() -> None:
    """By its type; the same bytes that are said to be plain text are that."""
    content = make.markdown(BOOK)
    assert begun(assignment(content, "text/markdown")) == begun(assignment(make.epub(BOOK)))
    assert begun(assignment(content, "text/plain")) == '[{"text":"text/plain"}]'


def test_others_get_the_file_as_it_is() -> None:
    """A task that takes no books, and plain text."""
    assert begun(assignment(make.epub(BOOK), task="unpacks")) == f'[{{"text":"{EPUB}"}}]'
    assert begun(assignment(b"It rained.", "text/plain")) == '[{"text":"text/plain"}]'


def test_a_bad_one_fails_the_job_with_its_reason() -> None:
    """As it was said, so that the sender can do something."""
    with pytest.raises(BadDocument, match="There is no text in this EPUB"):
        taskwork.begin(assignment(make.epub(Book("", [Chapter("A", [])]))))


def test_the_settings_bound_it(tmp_path: Path) -> None:
    """Time is in the reason."""
    taskwork.open_desk(config(tmp_path, document_timeout_s=0.01))
    with pytest.raises(BadDocument, match=r"took more than 0\.02 s"):
        taskwork.begin(assignment(make.pdf(BOOK), "application/pdf"))


async def test_the_workshop_outlives_it(tmp_path: Path) -> None:
    """A file that takes its reader down, as one that needs too much memory, leaves the workshop's process as it was."""
    shop = Workshop(config(tmp_path, document_memory_mb=256), processes=1)
    try:
        before = await shop.run(taskwork.begin, assignment(make.epub(BOOK)))
        huge = b"<html>" + b"<p>" + b"It rained all day and all night long. " * 3_000_000
        with pytest.raises(BadDocument, match=r"memory|more than"):
            await shop.run(taskwork.begin, assignment(huge, "text/html"))
        assert await shop.run(taskwork.begin, assignment(make.epub(BOOK))) == before
        assert len(shop._started) == 1  # no process was replaced
    finally:
        shop.close()
