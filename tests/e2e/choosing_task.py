"""A task with a parameter of each kind, whose report says which it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from streamapp.tasks import Document, Params, Predictor, Report, Result, Step, Task
from streamapp.tasks.echo import EchoPredictor, Piece


class ChoosingParams(Params):
    """One of each."""

    pages: int = Field(3, ge=1, le=10, description="How many pages.")
    share: float = Field(0.5, gt=0, lt=1, description="Which share of it.")
    deep: bool = Field(True, description="Whether to look at all of it.")
    tone: Literal["plain", "warm"] = Field("plain", description="How it sounds.")
    title: str | None = Field(None, max_length=20, description="What to call it.")
    words: list[str] = Field([], description="What to look for.")


class ChoosingStep(Step[Document, Piece, Report, ChoosingParams]):
    """One item, which is not looked at."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (EchoPredictor,)

    def split(self, source: Document, params: ChoosingParams) -> Iterator[Piece]:
        """One."""
        yield Piece(text="x")

    def reduce(self, results: Iterable[Result[Piece]], params: ChoosingParams) -> Report:
        """The parameters."""
        return Report(subject="What was chosen", text="See the data.", data=params.model_dump())


class Choosing(Task):
    """Says which parameters it was given."""

    name: ClassVar[str] = "choosing"
    accepts: ClassVar[Sequence[str]] = ("text/plain",)
    params: ClassVar[type[BaseModel]] = ChoosingParams
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (ChoosingStep(),)
