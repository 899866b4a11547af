"""Which errors are the database's own, so that the work is done again later, and which are those of a statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from streamapp.errors import StoreUnavailable

__all__ = ["as_unavailable", "is_outage"]


NO_FILE = "unable to open database file"  # SQLite's words


def is_outage(error: BaseException) -> bool:
    """Whether the database can't be used right now: away, locked, full, read-only (also after a failover), damaged."""
    ours = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
    return isinstance(error, DBAPIError | PoolTimeoutError) and not isinstance(error, ours)


@contextmanager
def as_unavailable() -> Iterator[None]:
    """An outage becomes `StoreUnavailable`; every other error stays what it is."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        if not is_outage(error):
            raise
        cause = str(getattr(error, "orig", None) or error)
        if NO_FILE in cause:
            cause += (
                ": the folder of STREAMAPP_HOME, or that of STREAMAPP_DATABASE_URL, is not there or may not be read"
            )
        raise StoreUnavailable(f"the store can't be used: {cause}") from error
