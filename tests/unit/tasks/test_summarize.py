from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ValidationError

from streamapp.errors import BadDocument, TaskFailed
from streamapp.tasks.contract import Document, Report, Result
from streamapp.tasks.reading import arc_plot
from streamapp.tasks.reading.wire import WIDTH, Embedding, Sentence
from streamapp.tasks.summarize import Summarize, SummarizeParams, SummarizeStep

Results = Callable[..., list[Result[Sentence]]]
Post = Callable[[str | bytes], Document]

STEP = SummarizeStep()
PARAMS = SummarizeParams()
SENTENCE = "The old man number {} walked down the _long_ road to the <village> & sat by the well."


def book(chapters: int, sentences: int = 12, title: str = "THE $OLD$ MAN") -> str:
    """A title and chapters of so many sentences."""
    parts = [
        f"Chapter {number}\n\n" + " ".join(SENTENCE.format(number * 100 + place) for place in range(sentences))
        for number in range(1, chapters + 1)
    ]
    return "\n\n".join([title, *parts])


def summarise(post: Post, computed: Results, text: str, params: SummarizeParams = PARAMS) -> Report:
    """The task without its model."""
    return STEP.reduce(computed(STEP.split(post(text), params)), params)


def test_the_report_has_every_chapter_in_order(post: Post, computed: Results) -> None:
    """Three whole sentences of each, under its heading, in text, page and data alike."""
    report = summarise(post, computed, book(4))
    assert report.subject == "Summary of The $Old$ Man"
    assert [chapter["heading"] for chapter in report.data["chapters"]] == [
        f"Chapter {number}" for number in range(1, 5)
    ]
    chosen = [entry for chapter in report.data["chapters"] for entry in chapter["summary"]]
    assert len(chosen) == 12
    assert [entry["index"] for entry in chosen] == sorted(entry["index"] for entry in chosen)
    folded = " ".join(report.text.replace("  * ", "").split())
    assert all(entry["text"] in folded for entry in chosen)


def test_html_is_escaped(post: Post, computed: Results) -> None:
    """What the document says is text on the page; its emphasis is kept."""
    report = summarise(post, computed, book(2, title="A <b>Bold</b> Title"))
    assert report.html is not None
    assert "<b>" not in report.html
    assert "<village>" not in report.html
    assert "&lt;village&gt; &amp; sat" in report.html
    assert "<em>long</em>" in report.html


def test_the_plot_is_a_png_that_says_what_it_shows(post: Post, computed: Results) -> None:
    """1800 pixels wide, without a date or the program's name, described in words."""
    plot = summarise(post, computed, book(3)).plot
    assert plot is not None
    assert plot.png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">I", plot.png[16:20]) == (1800,)
    assert b"tEXt" not in plot.png
    assert "36 sentences in 3 chapters" in plot.alt
    assert "brightest at" in plot.alt


@pytest.mark.parametrize("chapters", [1, 3, 40])
def test_the_plot_s_palette_is_not_seen(
    post: Post, computed: Results, monkeypatch: pytest.MonkeyPatch, chapters: int
) -> None:
    """Every pixel is as good as what was drawn, in far fewer bytes, and opaque."""
    drawn: list[NDArray[np.uint8]] = []
    real = arc_plot._png

    def keep(canvas: Any) -> bytes:
        drawn.append(np.array(canvas.buffer_rgba()))
        return real(canvas)

    monkeypatch.setattr(arc_plot, "_png", keep)
    plot = summarise(post, computed, book(chapters)).plot
    assert plot is not None
    with Image.open(io.BytesIO(plot.png)) as picture:
        assert (picture.mode, "transparency" in picture.info) == ("P", False)
        shown = np.asarray(picture.convert("RGB"), dtype=int)
    plain = io.BytesIO()
    Image.fromarray(drawn[0]).save(plain, "PNG", compress_level=1, compress_type=3)
    assert len(plot.png) < 0.6 * len(plain.getvalue())
    apart = np.abs(shown - drawn[0][..., :3]).max(axis=2)
    assert apart.mean() < 2
    assert np.quantile(apart, 0.999) <= 16
    assert apart.max() <= 40


def test_the_plot_counts_in_words_that_agree(post: Post, computed: Results) -> None:
    """One sentence, or several."""
    one, more = (summarise(post, computed, text).plot for text in ("One sentence.", book(1)))
    assert one is not None
    assert more is not None
    assert "over 1 sentence. " in one.alt
    assert one.alt.endswith("A circle marks the one sentence of the summary.")
    assert "over 12 sentences. " in more.alt
    assert more.alt.endswith("Circles mark the 3 sentences of the summary.")


@pytest.mark.parametrize("chapters", [1, 14, 15, 61, 130])
def test_any_number_of_chapters_is_drawn(post: Post, computed: Results, chapters: int) -> None:
    """Few have names, many numbers, and nothing warns."""
    report = summarise(post, computed, book(chapters, sentences=4))
    assert report.plot is not None
    assert len(report.data["chapters"]) == chapters


@pytest.mark.parametrize(
    "text", ["One sentence.", "no capitals no stop", "今天天气很好。我们去吧！", "SHORT. " * 8, "x" * 5000]
)
def test_tiny_and_strange_texts_have_a_report(post: Post, computed: Results, text: str) -> None:
    """A summary is never longer than its text, and never fails for being short."""
    report = summarise(post, computed, text)
    assert report.text
    assert report.plot is not None
    assert report.subject == "Summary of your text"


@pytest.mark.parametrize("title", ["Costs $\\frac{ $", "今天天气很好", "x" * 120])
def test_any_title_is_drawn(post: Post, computed: Results, title: str) -> None:
    """What looks like a formula, a script that the font lacks, a very long one: no error and no warning."""
    assert summarise(post, computed, book(2), SummarizeParams(title=title)).plot is not None


def test_the_same_results_give_the_same_report(post: Post, computed: Results) -> None:
    """To the byte: reduce may run twice."""
    assert summarise(post, computed, book(3)) == summarise(post, computed, book(3))
    assert list(STEP.split(post(book(3)), PARAMS)) == list(STEP.split(post(book(3)), PARAMS))


def test_failed_sentences_are_left_out(post: Post, computed: Results) -> None:
    """One that failed loses its place, and neither heading nor title that it carried."""
    items = list(STEP.split(post(book(2)), PARAMS))
    report = STEP.reduce(computed(items, failed=[0, 12]), PARAMS)
    assert report.data["sentences"] == 22
    assert report.data["chapters"][1]["heading"] == "Chapter 2"
    assert report.subject == "Summary of The $Old$ Man"
    with pytest.raises(TaskFailed):
        STEP.reduce(computed(items, failed=range(24)), PARAMS)


def test_partial_reports_hold_finished_chapters(post: Post, computed: Results) -> None:
    """The chapter that is being read is not told yet."""
    known = computed(STEP.split(post(book(3)), PARAMS))
    report = STEP.partial(known[:30], PARAMS)
    assert report is not None
    assert len(report.data["chapters"]) == 2
    assert STEP.partial(known[:5], PARAMS) is None
    assert STEP.partial([], PARAMS) is None


def test_params_are_used_and_bounded(post: Post, computed: Results) -> None:
    """A title on one line, one to ten sentences."""
    report = summarise(post, computed, book(2), SummarizeParams(sentences_per_chapter=1, title="My\n own"))
    assert report.subject == "Summary of My own"
    assert [len(chapter["summary"]) for chapter in report.data["chapters"]] == [1, 1]
    for wrong in ({"sentences_per_chapter": 0}, {"sentences_per_chapter": 11}, {"title": "x" * 121}, {"length": 3}):
        with pytest.raises(ValidationError):
            SummarizeParams.model_validate(wrong)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"* * *"])
def test_what_is_no_text_is_refused(post: Post, content: bytes) -> None:
    """With words for the sender."""
    with pytest.raises(BadDocument):
        list(STEP.split(post(content), PARAMS))


class Envelope(BaseModel):
    outcome: Embedding


def test_embeddings_travel() -> None:
    """As base64 in JSON, also inside another model; a vector of another size is refused."""
    embedding = Embedding(vector=bytes(range(256)) * 3)
    assert Envelope.model_validate_json(Envelope(outcome=embedding).model_dump_json()).outcome == embedding
    assert Embedding.model_validate(embedding.model_dump()) == embedding
    assert Embedding.model_validate(embedding.model_dump(mode="json")) == embedding
    assert embedding.array().shape == (WIDTH,)
    for wrong in ({"vector": "AAAA"}, {"vector": "%%"}):
        with pytest.raises(ValidationError):
            Embedding.model_validate(wrong)


def test_the_task_names_itself() -> None:
    """What clients and the wire know it by."""
    assert Summarize.name == "summarize"
    assert "text/plain" in Summarize.accepts
