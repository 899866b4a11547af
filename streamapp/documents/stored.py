"""What the blob store holds, seen from its own side: also what a crash left half written, which nobody has a name for.

A local store writes ``path#1`` beside the path and renames it when it is complete; its own listing leaves that out. Of
a bucket, unfinished multipart uploads are not seen here: a lifecycle rule of the bucket removes those.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import obstore

from streamapp.documents.claim import BLOB, Blobs
from streamapp.errors import StoreUnavailable

__all__ = ["mark", "remove", "stored"]

DOCUMENTS = "documents"
FAILURES = (OSError, obstore.exceptions.BaseError)


def stored(blobs: Blobs) -> Iterator[str]:
    """The path of everything beneath ``documents/``, in no order. It blocks. Raises `StoreUnavailable`."""
    try:
        if blobs.folder is None:
            for some in obstore.list(blobs.store, DOCUMENTS):
                yield from (str(found["path"]) for found in some)
            return
        for folder, _, names in os.walk(blobs.folder / DOCUMENTS):
            within = os.path.relpath(folder, blobs.folder)
            yield from (f"{within}/{name}" for name in names)
    except FAILURES as error:
        raise StoreUnavailable(f"what documents there are can't be seen: {error}") from error


def remove(blobs: Blobs, path: str) -> None:
    """Remove what is at a path that `stored` gave; none there is fine. It blocks. Raises `StoreUnavailable`."""
    try:
        if blobs.folder is None:
            blobs.delete(BLOB + path)
        else:
            with suppress(FileNotFoundError):
                os.unlink(blobs.folder / path)
    except FAILURES as error:
        raise StoreUnavailable(f"a document can't be removed: {error}") from error


def mark(blobs: Blobs, path: str, content: str) -> str:
    """Put that at a path, unless there is something; returns what is there. It blocks. Raises `StoreUnavailable`."""
    try:
        try:
            obstore.put(blobs.store, path, content.encode(), mode="create")
        except (FileExistsError, obstore.exceptions.AlreadyExistsError):
            return bytes(obstore.get(blobs.store, path).bytes()).decode("utf-8", "replace")
    except FAILURES as error:
        raise StoreUnavailable(f"whose documents these are can't be seen: {error}") from error
    return content
