"""Kinds of file in words, and for the browser's dialogue."""

from __future__ import annotations

from streamapp.resources import TaskResource
from streamapp.tasks.summarize import Summarize
from streamapp.ui.files import accept, kinds, most


def a_task(*accepts: str) -> TaskResource:
    """One that takes these."""
    return TaskResource(name="a", summary="A.", accepts=list(accepts), params={})


def test_kinds_have_names() -> None:
    """What has none is said as it is."""
    assert kinds(Summarize.accepts) == "plain text, Markdown, HTML, XHTML, EPUB, PDF, DOCX"
    assert kinds(["image/png", "text/plain", "image/png"]) == "image/png, plain text"


def test_a_file_field_takes_what_some_task_takes() -> None:
    """Each type once, with the suffixes that it is known by."""
    tasks = [a_task("text/plain"), a_task("text/plain", "application/epub+zip", "image/png")]
    assert accept(tasks) == "text/plain,.txt,.text,application/epub+zip,.epub,image/png"
    assert ".docx" in accept([a_task(*Summarize.accepts)])


def test_how_large_a_document_may_be() -> None:
    """The less of what the task takes and what is let in; nothing where neither says."""
    small, any_size = a_task("text/plain").model_copy(update={"largest": 10}), a_task("text/plain")
    assert [most(small, 20), most(small, 5), most(any_size, 20)] == [10, 5, 20]
    assert (most(small, None), most(any_size, None)) == (10, None)
