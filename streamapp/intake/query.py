"""Reading a request's query with a pydantic model: the one that describes it, so that both say the same."""

from __future__ import annotations

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamapp.intake.refusal import Refused, from_validation

__all__ = ["LONGEST_PAGE", "PAGE", "PageQuery", "Query", "read_query"]

PAGE, LONGEST_PAGE = 20, 100

Q = TypeVar("Q", bound="Query")


class Query(BaseModel):
    """What all queries have in common: a name that is not known is refused, since a misspelt filter filters nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Query):
    """Which page of a list."""

    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE, description="Entries on a page.")
    cursor: str | None = Field(None, max_length=500, description="`next` of the page before.")


def read_query(request: web.Request, model: type[Q]) -> Q:
    """The query as that model. Raises `Refused` with 422 that names the parameter."""
    given: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        several = name in model.model_fields and _is_list(model, name)
        if len(values) > 1 and not several:
            raise Refused(422, f"{name}: it is there {len(values)} times; send it once.", field=name)
        given[name] = values if several else values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise from_validation(error, known=model.model_fields) from error


def _is_list(model: type[Query], name: str) -> bool:
    return "list" in str(model.model_fields[name].annotation)
