"""Whether a Flask site names the store that workers use: looked at when it starts, so that a wrong home ends it there.

A store that is away for now is another matter: the site starts, answers 503, and works once the store is back. So is
one with older tables, which the workers of this version bring up to date. Whatever is opened for the look is closed
before it ends: a server may fork next.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from streamapp.errors import ConfigurationError, StoreUnavailable
from streamapp.settings import Settings
from streamapp.store import examine

__all__ = ["look_at_store"]

logger = logging.getLogger(__name__)

DO = (
    "start a worker first, which makes what is needed, and name the same STREAMAPP_HOME, STREAMAPP_DATABASE_URL and "
    "STREAMAPP_BLOB_URL as it has"
)


def look_at_store(settings: Settings) -> None:
    """Raises `ConfigurationError` when there is no store where the settings say, or none that a worker has made."""
    url = settings.store_url
    shown, file = make_url(url).render_as_string(hide_password=True), examine.file_of(url)
    if file is not None and not os.access(file, os.R_OK):
        raise ConfigurationError(f"There is no store at {file} that this user may read: {DO}.")
    try:
        with examine.opened(url) as connection:
            revision = examine.revision(connection)
    except StoreUnavailable as error:
        _refuse_what_stays(url, shown, error)
        logger.warning("503 is answered until the store can be used: %s", error)
        return
    except DBAPIError as error:
        raise ConfigurationError(f"The store {shown} can't be read: {error.orig}; {DO}.") from error
    if revision is None:
        raise ConfigurationError(f"The store {shown} has no tables of streamapp: {DO}.")
    _look_for_documents(settings.blobs)


def _refuse_what_stays(url: str, shown: str, error: StoreUnavailable) -> None:
    """Raise `ConfigurationError` for an outage that will not end by itself."""
    cause = getattr(error.__cause__, "orig", None)
    if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
        raise ConfigurationError(f"The store {shown} is no SQLite file: {DO}.") from error
    if examine.file_of(url) is None and not examine.has_database(url):
        raise ConfigurationError(f"There is no database {shown} on that server: {DO}.") from error


def _look_for_documents(blobs: str) -> None:
    parts = urlsplit(blobs)
    folder = Path(unquote(parts.path))
    if parts.scheme == "file" and not folder.is_dir():  # workers would look elsewhere for what is left here
        raise ConfigurationError(f"There is no folder for documents at {folder}: {DO}.")
