"""What a model author writes against: a predictor, a step, a task. Nothing here knows of Kafka, SQL or HTTP.

Item, Out, Value and Params are pydantic models, because they travel (on Kafka, through SQL, over HTTP) and because
the API's validation, its OpenAPI and the form in the UI are made from them. Ready and the batch stay inside one
process and may be anything, tensors included.

This module must import without torch: the jobs worker loads every task and never computes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from streamapp.tasks.typed import Typed

__all__ = [
    "Attachment",
    "Bytes64",
    "Document",
    "ItemError",
    "Params",
    "Plot",
    "Predictor",
    "Report",
    "Result",
    "Step",
    "Task",
]

Item = TypeVar("Item", bound=BaseModel)
Ready = TypeVar("Ready")
Out = TypeVar("Out", bound=BaseModel)
Source = TypeVar("Source")
Value = TypeVar("Value", bound=BaseModel)
ParamsT = TypeVar("ParamsT", bound=BaseModel)
AnyOut = TypeVar("AnyOut", bound=BaseModel)


def _from_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


#: Bytes that travel: given and had as bytes, base64 (RFC 4648) in JSON.
Bytes64 = Annotated[
    bytes, BeforeValidator(_from_base64), PlainSerializer(_to_base64, return_type=str, when_used="json")
]


class Document(Protocol):
    """The claim check: what was posted, read as a stream and only when asked for."""

    @property
    def media_type(self) -> str:
        """The content type without its parameters, for example ``text/plain``."""

    @property
    def size(self) -> int:
        """Bytes."""

    def open(self) -> BinaryIO:
        """Open it for reading from the start; close what you opened. Text is UTF-8."""


class ItemError(Exception):
    """This item is bad for good: trying it again gives the same. Anything else a predictor raises is tried again."""


class Params(BaseModel):
    """The base for a task's parameters: an unknown name is refused instead of ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plot(BaseModel):
    """A picture for the report."""

    png: Bytes64 = Field(description="A PNG file.")
    alt: str = Field(min_length=1, description="What the picture shows, for those who can't see it.")


class Attachment(BaseModel):
    """A file that goes with the report."""

    name: str = Field(min_length=1, max_length=200)
    media_type: str
    content: Bytes64


class Report(BaseModel):
    """What a job ends in: an e-mail, a page and a JSON document are made from it."""

    subject: str = Field(min_length=1, max_length=200)
    text: str = Field(description="Complete in itself: some read nothing else.")
    html: str | None = Field(
        default=None,
        description="A fragment for the inside of a page or mail: headings from h2 down, paragraphs, lists, emphasis. "
        "The task escapes what it quotes.",
    )
    data: dict[str, Any] = Field(default_factory=dict, description="The same for programs.")
    plot: Plot | None = None
    attachments: list[Attachment] = Field(default_factory=list)


class Predictor(Typed, Generic[Item, Ready, Out]):
    """A model as a worker runs it: loaded once, fed with batches that mix the items of many jobs.

    ``budget`` bounds a batch by the sum of its items' costs; ``timeout_s`` is how many seconds one ``predict``, or
    ``prepare`` of one item, may take before the worker is taken for hung and replaced. ``chunk_items`` is how many
    items travel as one message at most: so many are one worker's, and computed anew when it dies. Where an item takes a
    millisecond more of them save more than they delay.

    What it gave is remembered per tenant, and given again for the same item (and document) without computing, as long
    as ``version`` is the same. ``reads_document`` False says that `prepare` uses the item alone, so that another
    document with the same items is answered too; ``remember`` False is for what should be computed each time.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    budget: ClassVar[int]
    timeout_s: ClassVar[float] = 60.0
    chunk_items: ClassVar[int] = 64
    reads_document: ClassVar[bool] = True
    remember: ClassVar[bool] = True

    @classmethod
    def weights(cls) -> Path | None:
        """Where the weights are, found without loading them; None: there are none, or only `load` knows.

        Raises `ConfigurationError` where they are missing or not the right ones. `streamapp doctor` asks.
        """
        return None

    def load(self, device: str) -> None:
        """Bring the weights to ``device`` (``cpu``, ``cuda:0``). Called once, before anything else."""

    def budget_loaded(self) -> int:
        """The budget on the device that `load` was given, asked once, after it: a GPU holds more than a CPU, and less
        when others use it too. Unless a predictor says otherwise, ``budget``.
        """
        return self.budget

    def prepare(self, item: Item, document: Document) -> Ready:
        """Tokenise, decode: what needs no model. Called in a thread, ahead of time. May raise `ItemError`."""
        raise NotImplementedError

    def cost(self, ready: Ready) -> int:
        """What the budget counts: tokens, pixels, samples."""
        raise NotImplementedError

    def predict(self, batch: Sequence[Ready]) -> Sequence[Out | ItemError]:
        """Compute one batch; as many outcomes as items, in their order."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Result(Generic[Item]):
    """One item and what each of its step's predictors made of it, by the predictor's name."""

    item: Item
    outcomes: Mapping[str, BaseModel | ItemError]

    def of(self, predictor: type[Predictor[Any, Any, AnyOut]]) -> AnyOut:
        """What that predictor gave. Raises the `ItemError` it gave instead, and LookupError for one of another step."""
        try:
            outcome = self.outcomes[predictor.name]
        except KeyError:
            its = ", ".join(self.outcomes) or "none"
            raise LookupError(f"{predictor.name} is no predictor of this step, which has {its}") from None
        if isinstance(outcome, ItemError):
            raise outcome
        return outcome  # type: ignore[return-value]  # the wire decoded it by this predictor's own Out


class Step(Typed, Generic[Source, Item, Value, ParamsT]):
    """One pass over items: split, predict on as many workers as there are, reduce."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]]

    def split(self, source: Source, params: ParamsT) -> Iterable[Item]:
        """Cut the source into items: the same ones in the same order each time. May raise `BadDocument`."""
        raise NotImplementedError

    def reduce(self, results: Iterable[Result[Item]], params: ParamsT) -> Value:
        """Put the results together again. They come in split order."""
        raise NotImplementedError

    def partial(self, results: Iterable[Result[Item]], params: ParamsT) -> Report | None:
        """A report on what is there so far, or None when that makes no sense for this step.

        The results come in split order, from the first on and without a gap. Asked for while the job runs, and after it
        has ended without a report.
        """
        return None


class Task:
    """What a client names in ``task``. The last step's value is a `Report`.

    The report on the same document with the same parameters is remembered per tenant, as long as ``version`` and those
    of the predictors are the same: raise it when `split` or `reduce` give something else. ``remember`` False has it
    made each time.

    ``largest`` is the most bytes of a document that the task takes, where the settings would let more in. One that has
    it read as a stream, and whose items name a place in the document instead of holding a part of it, needs none.

    ``books`` True has Markdown, HTML, EPUB, PDF and DOCX files (``BOOK_FILES``, as far as ``accepts`` names them)
    decoded before the first `split`, which gets the book as `book_of` reads it. A predictor's `prepare` gets the file
    as it came.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    remember: ClassVar[bool] = True
    largest: ClassVar[int | None] = None
    accepts: ClassVar[Sequence[str]]
    books: ClassVar[bool] = False
    params: ClassVar[type[BaseModel]]
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]]
