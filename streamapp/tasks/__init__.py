"""Tasks: the contract that a model author writes against, and one file for each built-in task."""

from streamapp.book import BOOK_FILES, Book, Chapter
from streamapp.errors import BadDocument
from streamapp.tasks.books import book_of
from streamapp.tasks.contract import (
    Attachment,
    Bytes64,
    Document,
    ItemError,
    Params,
    Plot,
    Predictor,
    Report,
    Result,
    Step,
    Task,
)

__all__ = [
    "BOOK_FILES",
    "Attachment",
    "BadDocument",
    "Book",
    "Bytes64",
    "Chapter",
    "Document",
    "ItemError",
    "Params",
    "Plot",
    "Predictor",
    "Report",
    "Result",
    "Step",
    "Task",
    "book_of",
]
