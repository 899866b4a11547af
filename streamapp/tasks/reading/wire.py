"""What `summarize` sends over Kafka: a sentence on the way to the model, its embedding on the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from streamapp.tasks.contract import Bytes64

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["WIDTH", "Embedding", "Sentence", "stacked"]

WIDTH: Final = 384
"""Components of an embedding."""


class Sentence(BaseModel):
    """One sentence of the book, whitespace folded.

    `reduce` gets items and nothing else of the split, so that the first sentence of a chapter carries its heading and
    the first of the book its title.
    """

    model_config = ConfigDict(frozen=True)

    text: str = Field(min_length=1)
    chapter: int = Field(ge=0, description="Counted from 0.")
    whole: bool = Field(default=True, description="False: a piece of something too long to be one sentence.")
    heading: str = Field(default="", description="The chapter's heading, on its first sentence.")
    title: str = Field(default="", description="The book's title, on its first sentence.")


class Embedding(BaseModel):
    """A sentence's embedding of length one.

    ``vector`` is little-endian float16, 384 components, and base64 in JSON (1 KiB). Half precision because this
    crosses Kafka and lies in SQL once per sentence: it halves both, and its rounding (2⁻¹¹ of a component) moves a
    cosine by less than 10⁻⁶, a thousandth of what bfloat16 arithmetic does.
    """

    model_config = ConfigDict(frozen=True)

    vector: Bytes64 = Field(min_length=WIDTH * 2, max_length=WIDTH * 2)

    def array(self) -> NDArray[np.float32]:
        """The vector as float32 [384]."""
        import numpy as np

        return np.frombuffer(self.vector, dtype="<f2").astype(np.float32)


def stacked(embeddings: Sequence[Embedding]) -> NDArray[np.float32]:
    """Embeddings as float32 [embeddings, 384]: one after the other costs ten times as much."""
    import numpy as np

    packed = b"".join(embedding.vector for embedding in embeddings)
    return np.frombuffer(packed, dtype="<f2").astype(np.float32).reshape(len(embeddings), WIDTH)
