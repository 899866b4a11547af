"""Tasks: the contract that a model author writes against, and one file for each built-in task."""

from streamapp.errors import BadDocument
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
    "Attachment",
    "BadDocument",
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
