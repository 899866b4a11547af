"""Values as commands take and say them: times, deadlines, priorities, choices. A wrong one is told what is right."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import click

from streamapp.wording import a_time

__all__ = ["Deadline", "Priority", "Several", "Time", "counted", "first_line", "lasting"]

UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
FROM_NOW = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,3}})?) ?({'|'.join(UNITS)})")


class Time(click.ParamType):
    """A time in ISO 8601, in UTC unless it has an offset."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """With its offset."""
        moment = value if isinstance(value, datetime) else _moment(value)
        if moment is None:
            self.fail(f"{value!r} is no time: write it like 2026-01-31, or 2026-01-31T18:00:00+01:00.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Deadline(click.ParamType):
    """A time to come with its offset (RFC 3339), or how long from now."""

    name = "time"

    def convert(
        self, value: str | datetime | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """The one or the other, as the client takes them."""
        from streamapp.intake.submission import LONGEST_DEADLINE

        said = value if not isinstance(value, str) else _duration(value) or _moment(value)
        if isinstance(value, str) and (lacking := _lacking(value)):
            self.fail(lacking, param, ctx)
        if said is None or (isinstance(said, datetime) and said.tzinfo is None):
            self.fail(f"{value!r}: say how long from now, like 90m, 2h or 3d, or a time like {a_time()}.", param, ctx)
        left = said if isinstance(said, timedelta) else said - datetime.now(UTC)
        if not timedelta(0) < left <= LONGEST_DEADLINE:
            self.fail(f"{value!r}: it must be in the future, and within {LONGEST_DEADLINE.days} days.", param, ctx)
        return said


class Priority(click.ParamType):
    """A whole number within the API's bounds."""

    name = "number"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        from streamapp.intake.submission import HIGHEST_PRIORITY, LOWEST_PRIORITY

        try:
            number = int(value)
        except ValueError:
            number = HIGHEST_PRIORITY + 1
        if not LOWEST_PRIORITY <= number <= HIGHEST_PRIORITY:
            self.fail(f"{value!r}: say a whole number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}.", param, ctx)
        return number


class Several(click.Choice[str]):
    """One of the choices, or several with commas between them."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same, without spaces."""
        return ",".join(super(Several, self).convert(each.strip(), param, ctx) for each in value.split(","))


def counted(number: int, noun: str) -> str:
    """How many there are, in words."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def first_line(text: str) -> str:
    """The first line, for a table that has one for each; an ellipsis says that more follow."""
    lines = text.strip().splitlines() or [""]
    return lines[0] if len(lines) == 1 else f"{lines[0].rstrip()} …"


def lasting(seconds: float) -> str:
    """How long, in the largest unit of which there is one, rounded down."""
    for unit, of_it in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= of_it:
            return counted(int(seconds // of_it), unit)
    return counted(int(seconds), "second")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _duration(text: str) -> timedelta | None:
    found = FROM_NOW.fullmatch(text)
    try:
        return timedelta(**{UNITS[found[2]]: float(found[1])}) if found else None
    except OverflowError:
        return timedelta.max


def _lacking(text: str) -> str | None:
    """What a time lacks that is nearly one: a deadline is no place to guess an hour or an offset."""
    moment = _moment(text)
    if moment is None or moment.tzinfo is not None:
        return None
    lacks, whole = "a time without its offset (Z for UTC)", f"{text}Z"
    with suppress(ValueError):
        lacks, whole = "a date without a time", f"{date.fromisoformat(text)}T12:00Z"
    return f"{text!r} is {lacks}: write it like {whole}, or say how long from now, like 90m, 2h or 3d."
