"""The task `summarize`: a book becomes a few of its own sentences a chapter and a picture of its emotional arc.

The one heavy model turns sentences into embeddings; everything else follows from those in `reduce`. The parts lie in
`streamapp.tasks.reading`, and those that need numpy or matplotlib are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from streamapp.book import BOOK_FILES
from streamapp.errors import TaskFailed
from streamapp.tasks.books import book_of
from streamapp.tasks.contract import Document, Params, Plot, Predictor, Report, Result, Step, Task
from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.reading.given import read_given
from streamapp.tasks.reading.items import items
from streamapp.tasks.reading.text import fold, read_text
from streamapp.tasks.reading.wire import Sentence

if TYPE_CHECKING:
    from streamapp.tasks.reading.digest import Digest

__all__ = ["Summarize", "SummarizeParams", "SummarizeStep"]

UNTITLED = "your text"


class SummarizeParams(Params):
    """What a client may choose."""

    sentences_per_chapter: int = Field(
        default=3, ge=1, le=10, description="Sentences of each chapter; of a short one a quarter of what it has."
    )
    title: str = Field(default="", max_length=120, description="The title to use. Empty: the one found in the text.")


class SummarizeStep(Step[Document, Sentence, Report, SummarizeParams]):
    """Sentences out, embeddings back, a report of them."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (MiniLM,)

    def split(self, source: Document, params: SummarizeParams) -> Iterator[Sentence]:
        """The document's sentences. Raises `BadDocument` where it is not UTF-8 or holds no sentence."""
        book = book_of(source)
        return items(read_text(source) if book is None else read_given(book))

    def reduce(self, results: Iterable[Result[Sentence]], params: SummarizeParams) -> Report:
        """The summary with its plot. Raises `TaskFailed` where no sentence has an embedding."""
        from streamapp.tasks.reading.digest import digest

        found = digest(results, MiniLM, params.sentences_per_chapter)
        if found is None:
            raise TaskFailed("The model failed on every sentence of this text.")
        return _report(found, fold(params.title) or found.title, plot=True)

    def partial(self, results: Iterable[Result[Sentence]], params: SummarizeParams) -> Report | None:
        """The chapters before the last one that has begun, without the plot; None until there is one."""
        from streamapp.tasks.reading.digest import digest

        known = list(results)
        last = max((result.item.chapter for result in known), default=0)
        found = digest((result for result in known if result.item.chapter < last), MiniLM, params.sentences_per_chapter)
        return None if found is None else _report(found, fold(params.title) or found.title, plot=False)


def _report(digest: Digest, title: str, *, plot: bool) -> Report:
    from streamapp.tasks.reading.render import as_data, as_html, as_text
    from streamapp.tasks.reading.tone import arc_of

    heading = f"Summary of {title or UNTITLED}"
    arc = arc_of(digest.tones)
    picture: Plot | None = None
    if plot:
        from streamapp.tasks.reading.arc_plot import arc_alt, arc_png

        png = arc_png(digest, arc, f"The emotional arc of {title or UNTITLED}")
        picture = Plot(png=png, alt=arc_alt(digest, arc, title or UNTITLED))
    return Report(
        subject=heading,
        text=as_text(digest),
        html=as_html(digest),
        data=as_data(digest, title, arc),
        plot=picture,
    )


class Summarize(Task):
    """The sentences that say most, chapter by chapter, and the story's emotional arc as a plot."""

    name: ClassVar[str] = "summarize"
    version: ClassVar[str] = "5"
    accepts: ClassVar[Sequence[str]] = ("text/plain", *BOOK_FILES)
    books: ClassVar[bool] = True
    largest: ClassVar[int | None] = 64 * 1024 * 1024  # a book of twenty thousand pages: it is read as a whole
    params: ClassVar[type[BaseModel]] = SummarizeParams
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (SummarizeStep(),)
