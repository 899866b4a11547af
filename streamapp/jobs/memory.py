"""What a result and a report depend on, as hashes: the same hash again is the same work again.

Results are remembered a chunk at a time, so that half of a document known is half of the work; a whole report too,
because splitting, reducing and plotting a book take longer than the second in which a remembered one is due. Both are
kept within one tenant: that somebody else had sent the same must show in nothing. See docs/adr/0014.
"""

from __future__ import annotations

from typing import Any

from streamapp.identity import Pieced, digest
from streamapp.tasks.contract import Predictor, Task

__all__ = ["chunk_digest", "content_hash", "work_hash"]


def work_hash(task: Task, params: str, content: bytes | Pieced, media_type: str) -> str | None:
    """What a report of that task depends on. None: it is to be made each time."""
    predictors = sorted({kind for step in task.steps for kind in step.predictors}, key=lambda kind: kind.name)
    if not task.remember or not all(kind.remember for kind in predictors):
        return None
    models = (part for kind in predictors for part in (kind.name, kind.version))
    return digest("report", task.name, task.version, params, media_type, content, *models)


def content_hash(task: Task, content: bytes | Pieced, media_type: str) -> str | None:
    """The document's hash, if results that are remembered depend on it."""
    readers = (kind.remember and kind.reads_document for step in task.steps for kind in step.predictors)
    return digest("document", media_type, content) if any(readers) else None


def chunk_digest(predictor: type[Predictor[Any, Any, Any]], items: bytes, content: str | None) -> str | None:
    """What a chunk's result depends on, its `items` as JSON. None: it is not remembered.

    `content` is the document's hash; without it nothing that reads the document is known by its items.
    """
    if not predictor.remember or (predictor.reads_document and content is None):
        return None
    document = (content or "") if predictor.reads_document else ""
    return digest("chunk", predictor.name, predictor.version, document, items)
