"""How a request is refused: with a problem document (RFC 9457) that names the field and says what would be right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streamapp.resources import FieldProblem, Problem
from streamapp.wording import words_of

__all__ = ["Refused", "from_validation", "unicode_only"]

NOTHING: Mapping[str, str] = {}


class Refused(Exception):
    """The request is refused; `problem` is the answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        detail, field = unicode_only(detail), unicode_only(field) if field else None
        super().__init__(detail)
        errors = [FieldProblem(field=field, detail=detail.removeprefix(f"{field}: "))] if field else []
        self.problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


def from_validation(
    error: ValidationError,
    under: str = "",
    known: Iterable[str] = (),
    whole: Collection[str] = (),
    right: Mapping[str, str] = NOTHING,
) -> Refused:
    """A 422 that lists every wrong field.

    `known` are the names there are, for those that use another; `whole` are fields whose parts have no place that the
    client knows. `right` says of fields what they must be, in place of what is wrong with them.
    """
    problems = [
        FieldProblem(field=_path(under, _place(problem["loc"], whole)), detail=_words(problem, known, right))
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = problems[0]
    refused = Refused(422, f"{first.field}: {first.detail}")
    refused.problem.errors = problems
    return refused


def _place(location: tuple[int | str, ...], whole: Collection[str]) -> tuple[int | str, ...]:
    return location[:1] if location[:1] and location[0] in whole else location


def _path(under: str, location: tuple[int | str, ...]) -> str:
    return ".".join([*([under] if under else []), *(str(part) for part in location)]) or "body"


def _words(problem: ErrorDetails, known: Iterable[str], right: Mapping[str, str]) -> str:
    if problem["type"] == "extra_forbidden":
        names = ", ".join(sorted(known)) if len(problem["loc"]) == 1 else ""
        return f"there is no such field; there are {names}" if names else "there is no such field"
    place = problem["loc"]
    if len(place) == 1 and place[0] in right and problem["type"] != "value_error":
        return right[str(place[0])]
    return words_of(problem)


def unicode_only(text: str) -> str:
    """The same with U+FFFD for each half of a surrogate pair: headers that are no UTF-8 come with such halves."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
