"""Whether two reports are the same; for a summary, whether they differ only where the model's own rounding may decide.

A summary's sentences are the greedy maximum of an objective over all of a text (see `streamapp.tasks.reading.select`).
Embeddings differ in their last bits with the batch that a sentence happened to be in, so two sentences that gain the
same but for those bits may change places: a near-tie. Here it is one when the two choices have equally many sentences
in each chapter and their objectives, both computed with the same embeddings, differ by less than `NEAR` a sentence.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from chaos.reference import FIELDS
from chaos.texts import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NEAR", "Comparison"]

NEAR = 1e-5
"""Of a cosine: ten times what single precision leaves open."""
DIGIT = 2e-4
"""Figures are rounded to four digits, so that they may differ by one of the last."""


class Comparison:
    """Compares reports on these texts; the model is only loaded when two summaries differ."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = {text.id: text for text in texts}
        self._measures: dict[str, _Measure] = {}

    def __call__(self, wanted: Mapping[str, Any], got: Mapping[str, Any], text: str) -> str | None:
        """ "" when they are the same, a sentence for a near-tie, else None."""
        if all(wanted[name] == got.get(name) for name in FIELDS):
            return ""
        if self._texts[text].task != "summarize" or not _alike(wanted, got):
            return None
        first, second = _chosen(wanted), _chosen(got)
        if text not in self._measures:
            self._measures[text] = _Measure.of(self._texts[text])
        apart = abs(self._measures[text].objective(first) - self._measures[text].objective(second))
        changed = sorted(set(first) ^ set(second))
        return f"sentences {changed} change places, objectives {apart:.1e} apart" if apart < NEAR else None


def _alike(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    """Everything but which sentences were chosen: the title, the chapters, how many of each, the arc's figures."""
    one, other = wanted["data"], got.get("data") or {}
    if wanted["subject"] != got.get("subject") or one.keys() != other.keys():
        return False
    headings = [[(each["heading"], len(each["summary"])) for each in data["chapters"]] for data in (one, other)]
    figures = all(abs(one["arc"][name] - other["arc"].get(name, 9.0)) <= DIGIT for name in one["arc"])
    return headings[0] == headings[1] and one["sentences"] == other["sentences"] and figures


def _chosen(report: Mapping[str, Any]) -> list[int]:
    return [entry["index"] for chapter in report["data"]["chapters"] for entry in chapter["summary"]]


@dataclass(frozen=True, slots=True)
class _Measure:
    """A text's embeddings [sentences, width] and its sentences' chapters [sentences]."""

    embeddings: NDArray[np.float32]
    chapters: NDArray[np.intp]

    def objective(self, chosen: Sequence[int]) -> float:
        """The mean over all sentences of the highest weighted cosine to a chosen one."""
        import numpy as np

        from streamapp.tasks.reading.select import OWN_CHAPTER

        similar = self.embeddings @ self.embeddings[list(chosen)].T
        similar[self.chapters[:, None] == self.chapters[list(chosen)][None, :]] *= 1 + OWN_CHAPTER
        return float(np.maximum(similar, 0).max(1).mean(dtype=np.float64))

    @classmethod
    def of(cls, text: Text) -> _Measure:
        """Compute them, in this process."""
        import numpy as np

        from streamapp.tasks.minilm import MiniLM
        from streamapp.tasks.summarize import SummarizeParams, SummarizeStep

        document = _Text(text.content.encode())
        items = list(SummarizeStep().split(document, SummarizeParams(**text.params)))
        model = MiniLM()
        model.load("cpu")
        vectors = [_vector(model.predict([model.prepare(item, document)])[0]) for item in items]
        return cls(np.stack(vectors), np.array([item.chapter for item in items]))


@dataclass(frozen=True, slots=True)
class _Text:
    content: bytes
    media_type: str = "text/plain"

    @property
    def size(self) -> int:
        return len(self.content)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


def _vector(out: Any) -> NDArray[np.float32]:
    import numpy as np

    if isinstance(out, Exception):
        raise TypeError(f"the model failed on a sentence: {out}")
    vector: NDArray[np.float32] = np.asarray(out.array(), dtype=np.float32)
    return vector / np.linalg.norm(vector)
