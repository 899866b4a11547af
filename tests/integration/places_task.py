"""A task for documents larger than memory: an item names a place in the document, and a model worker reads it there."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from streamapp.tasks import Document, Params, Predictor, Report, Result, Step, Task

PLACE = 8 << 20  # bytes


class Place(BaseModel):
    """A part of the document."""

    start: int
    size: int


class Sum(BaseModel):
    """How many bytes there were, and their CRC-32."""

    size: int
    crc: int


class Summing(Predictor[Place, Sum, Sum]):
    """Reads the place; the sums are what there is to predict."""

    name: ClassVar[str] = "summing"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 4

    def prepare(self, item: Place, document: Document) -> Sum:
        """The document is opened at the place, and nothing else of it is read."""
        with document.open() as file:
            file.seek(item.start)
            content = file.read(item.size)
        return Sum(size=len(content), crc=zlib.crc32(content))

    def cost(self, ready: Sum) -> int:
        """One."""
        return 1

    def predict(self, batch: Sequence[Sum]) -> Sequence[Sum]:
        """The sums."""
        return batch


class PlacesStep(Step[Document, Place, Report, Params]):
    """Places of equal size."""

    predictors: Sequence[type[Predictor[Any, Any, Any]]] = (Summing,)

    def split(self, source: Document, params: Params) -> Iterator[Place]:
        """By the document's size alone."""
        for start in range(0, source.size, PLACE):
            yield Place(start=start, size=min(PLACE, source.size - start))

    def reduce(self, results: Iterable[Result[Place]], params: Params) -> Report:
        """All sums."""
        sums = [result.of(Summing) for result in results]
        size = sum(each.size for each in sums)
        return Report(subject="Sums", text=f"{size} bytes", data={"size": size, "crcs": [each.crc for each in sums]})


class Places(Task):
    """Sums of a document, place by place."""

    name: ClassVar[str] = "places"
    accepts: ClassVar[Sequence[str]] = ("application/octet-stream", "text/plain")
    params: ClassVar[type[BaseModel]] = Params
    steps: ClassVar[Sequence[Step[Any, Any, Any, Any]]] = (PlacesStep(),)
