"""What a job's body may be, as JSON Schema: for each task its own parameters and types of document.

Made from the model that checks a submission and from the tasks, so that it says what they say. Rules that JSON Schema
has no words for (a deadline in the future, an address that can exist) stay with the model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from streamapp.intake.fields import JSON_FIELDS, QUERY
from streamapp.intake.form import FIELDS
from streamapp.intake.operation import shared
from streamapp.intake.submission import Submission
from streamapp.tasks.contract import Task
from streamapp.tasks.registry import Registry

__all__ = ["JOB_BODY", "JOB_DOCUMENT", "JOB_FORM", "JOB_QUERY", "TASK_NAME", "body_schemas"]

JOB_BODY, JOB_FORM, TASK_NAME = "JobBody", "JobForm", "TaskName"
"""The names of the schemas."""
DOCUMENT = ("text", "document", "media_type")
WORDS = {"type": "string", "minLength": 1, "pattern": "\\S"}
NOTHING = {"type": "null"}
TEXT: dict[str, Any] = {"type": "string"}
VALUE: dict[str, Any] = {"type": "string", "contentMediaType": "application/json"}
SPELT = {
    "params": ' It is a JSON object as text, such as `{"title": "Emma"}`.',
    "priority": " It is a whole number as text.",
    "fresh": " It is `true` or `false` as text.",
}
"""How fields that are no text are written where all is text: in a query and in a form."""
JOB_DOCUMENT = {"description": "The document as it is, in any type that the task takes; `Content-Type` says which."}
"""The body that is a document by itself: OpenAPI 3.1 has no schema for bytes."""
JOB_QUERY = {
    name: {
        **(shared(TASK_NAME) if name == "task" else VALUE if name in JSON_FIELDS else TEXT),
        "description": "Beside a document that is the body by itself: "
        + (Submission.model_fields[name].description or f"the {name}")
        + SPELT.get(name, ""),
    }
    for name in QUERY
}
"""What the query has then, by name; there is nothing in it beside another body."""
BASE64 = {"type": "string", "minLength": 4, "contentEncoding": "base64"}


def body_schemas(registry: Registry) -> dict[str, dict[str, Any]]:
    """The schemas by their names: of a JSON body, and of a form."""
    fields = Submission.model_json_schema()["properties"]
    tasks = [registry[name] for name in sorted(registry)]
    return {
        JOB_BODY: {
            "description": "A job. Its document is `text`, or `document` in base64.",
            "oneOf": [schema for task in tasks for schema in _bodies(task, fields)],
        },
        JOB_FORM: _form(fields),
        TASK_NAME: {"type": "string", "enum": sorted(registry), "description": "A task's name."},
    }


def _bodies(task: Task, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A body with a text, if the task takes texts, and one with a document."""
    texts = [kind for kind in task.accepts if kind.startswith("text/")]
    if texts:
        said = {"text": WORDS, "media_type": {"enum": [*texts, None]}, "document": NOTHING}
        yield _body(f"{task.name}, a text", task, fields, said, ["task", "text"])
    said = {"document": BASE64, "media_type": {"enum": list(task.accepts)}, "text": NOTHING}
    yield _body(f"{task.name}, a document", task, fields, said, ["task", "document", "media_type"])


def _body(
    title: str, task: Task, fields: dict[str, Any], document: dict[str, Any], required: list[str]
) -> dict[str, Any]:
    own = {"task": {"const": task.name}, "params": task.params.model_json_schema()}
    rest = {name: schema for name, schema in fields.items() if name not in DOCUMENT}
    told = {
        name: {**schema, "description": fields[name].get("description", "")}
        for name, schema in {**own, **document}.items()
    }
    return {
        "title": title,
        "type": "object",
        "properties": {**copy.deepcopy(rest), **told},
        "required": required,
        "additionalProperties": False,
    }


def _form(fields: dict[str, Any]) -> dict[str, Any]:
    texts = {name: {**TEXT, "description": fields[name].get("description", "")} for name in FIELDS}
    values = {name: {**VALUE, "description": fields[name].get("description", "") + SPELT[name]} for name in JSON_FIELDS}
    file = {"type": "string", "contentMediaType": "application/octet-stream", "description": "The document."}
    return {
        "description": "A job as a form: the document as `file`, or as `text`.",
        "type": "object",
        "properties": {**texts, **values, "file": file, "task": shared(TASK_NAME)},
        "required": ["task"],
        "additionalProperties": False,
    }
