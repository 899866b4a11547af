"""How a request is refused: with a problem document (RFC 9457) that names the field and says what would be right."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import ValidationError

from streamapp.resources import FieldProblem, Problem

__all__ = ["Refused", "from_validation"]


class Refused(Exception):
    """The request is refused; `problem` is the answer."""

    def __init__(self, status: int, detail: str, *, field: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        errors = [FieldProblem(field=field, detail=detail)] if field else []
        self.problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
        self.retry_after_s = retry_after_s


def from_validation(error: ValidationError, under: str = "") -> Refused:
    """A 422 that lists every wrong field."""
    problems = [
        FieldProblem(field=_path(under, problem["loc"]), detail=_words(str(problem["msg"])))
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = problems[0]
    refused = Refused(422, f"{first.field}: {first.detail}")
    refused.problem.errors = problems
    return refused


def _path(under: str, location: tuple[int | str, ...]) -> str:
    return ".".join([*([under] if under else []), *(str(part) for part in location)]) or "body"


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")
