"""What one may post: the fields of a job, checked strictly. Shared by every intake."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import email_validator
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from streamapp.intake.refusal import Refused, from_validation
from streamapp.wording import a_time

__all__ = [
    "HIGHEST_PRIORITY",
    "LONGEST_DEADLINE",
    "LONGEST_NAME",
    "LOWEST_PRIORITY",
    "RIGHT",
    "Deadline",
    "Submission",
    "checked_email",
    "one_line",
    "parse_submission",
    "rfc3339",
]

LONGEST_DEADLINE = timedelta(days=30)
LONGEST_NAME = 200  # characters
LOWEST_PRIORITY, HIGHEST_PRIORITY = -3, 3

#: What fields must be that are no text, wherever they come from.
RIGHT = {
    "params": "it must be a JSON object with the task's parameters",
    "priority": f"it must be a whole number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}",
    "fresh": "it must be true or false",
}

# The local mailbox, and mail servers on the same machine, take mail for these; the rest of the list stays refused.
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = sorted(
    {*email_validator.SPECIAL_USE_DOMAIN_NAMES} - {"localhost", "test"}
)


@functools.lru_cache(maxsize=4096)  # most people send to the same few addresses
def checked_email(value: str) -> str:
    """One address in its usual spelling. Raises ValueError."""
    try:
        checked = validate_email(value, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(f"this is not one e-mail address: {error}") from error
    return checked.normalized


def _soon(value: datetime) -> datetime:
    now = datetime.now(UTC)
    if not now < value <= now + LONGEST_DEADLINE:
        raise ValueError(f"it must be in the future, and within {LONGEST_DEADLINE.days} days")
    return value


def rfc3339(value: Any) -> Any:
    """A time as text, before pydantic looks whether it has its offset. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f'it must be a time with its offset, such as "{a_time()}" (RFC 3339)')
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f'it must be a time with its offset, such as "{a_time()}" (RFC 3339)') from error
    if _is_date(value):
        raise ValueError(f'it is a date without a time; write it like "{moment.date()}T12:00:00Z" (RFC 3339)')
    if moment.tzinfo is None:
        raise ValueError(f'it is a time without its offset; write it like "{moment.isoformat()}Z" (RFC 3339)')
    return moment


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _words(value: str) -> str:
    if "\0" in value:
        raise ValueError("it holds NUL characters (U+0000); send plain text, or the file with its media type")
    if not value.strip():
        raise ValueError("it is empty; send the text to work on")
    return value


def one_line(value: str) -> str:
    """Text without control characters. Raises ValueError."""
    if any(ord(character) < 32 for character in value):
        raise ValueError("it must be one line")
    return value


#: A time to come, as text in RFC 3339.
Deadline = Annotated[AwareDatetime, AfterValidator(_soon), BeforeValidator(rfc3339)]


class Submission(BaseModel):
    """A job as it is posted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    task: str = Field(description="What to do: the name of a task.")
    text: Annotated[str, AfterValidator(_words)] | None = Field(
        None, description="The document, when it is plain text."
    )
    document: str | None = Field(None, description="The document in base64 (RFC 4648).")
    media_type: Annotated[str, AfterValidator(one_line)] | None = Field(
        None, description="The document's content type."
    )
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(one_line)] | None = Field(
        None, description="What to call the job; the file's name or the first words of the text if it is left out."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="The task's parameters.")
    email: Annotated[str, AfterValidator(checked_email)] | None = Field(None, description="Where to send the result.")
    webhook: str | None = Field(
        None, description="The https URL that is told, with a signature, when the job has ended, however it did."
    )
    priority: int = Field(
        0,
        ge=LOWEST_PRIORITY,
        le=HIGHEST_PRIORITY,
        description="Each step doubles the job's share of its tenant's turn.",
    )
    deadline: Deadline | None = Field(None, description="When the result is of no more use; the job expires then.")
    fresh: bool = Field(False, description="Have all of it computed anew, and nothing answered from memory.")

    def content(self) -> tuple[bytes, str | None]:
        """The document's bytes, and its media type if it is said. Raises `Refused` where there are none or both."""
        if self.text is not None and self.document is not None:
            raise Refused(422, "Send text or document, not both.", field="document")
        if self.text is not None:
            kind, _, _ = (self.media_type or "text/plain").partition(";")  # a charset says nothing about a JSON string
            return self.text.encode("utf-8"), kind
        if self.document is None:
            raise Refused(
                422, "There is no document: send text, or document in base64 with its media_type.", field="text"
            )
        try:
            return base64.b64decode(self.document, validate=True), self.media_type
        except (binascii.Error, ValueError) as error:
            raise Refused(422, f"This is not base64 (RFC 4648): {error}.", field="document") from error


def parse_submission(fields: dict[str, Any], tasks: Iterable[str] = ()) -> Submission:
    """Check the fields. Raises `Refused` that lists every wrong one; `tasks` are those there are."""
    try:
        return Submission.model_validate(fields)
    except ValidationError as error:
        which = f"; there are {', '.join(sorted(tasks))}" if tasks else ""
        right = {**RIGHT, "task": f"it must be the name of a task{which}"}
        raise from_validation(error, known=Submission.model_fields, right=right) from error
