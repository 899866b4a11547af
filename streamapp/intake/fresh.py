"""What an intake in a Flask site knows of keys, pauses and pressure: asked for by requests, when it is too old.

A worker looks every few seconds. A site that is not ours may have no threads to spare, and may sleep for hours; so here
the request that finds it old looks, and one that finds it much too old waits for that.
"""

from __future__ import annotations

import threading
import time

from streamapp.elsewhere import at_once
from streamapp.errors import ConfigurationError, StoreUnavailable
from streamapp.intake.keyring import EVERY_S, TRUSTED_S, Keyring
from streamapp.jobs.pressure import Pressure
from streamapp.store.database import Database
from streamapp.store.migrate import is_current

__all__ = ["Fresh"]


class Fresh:
    """Keeps them so. The first look also makes sure that the store has the tables that this version knows."""

    def __init__(self, database: Database, keyring: Keyring, pressure: Pressure) -> None:
        self._database = database
        self._keyring = keyring
        self._pressure = pressure
        self._lock = threading.Lock()
        self._looked_at: float | None = None  # seconds, monotonic

    def check(self) -> None:
        """Look, if that is due. Raises `StoreUnavailable` when what is known is too old to be believed."""
        age_s = self._age_s()
        if age_s > TRUSTED_S:
            with self._lock:
                if self._age_s() > TRUSTED_S:
                    self._look()
        elif age_s > EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._look()
            except StoreUnavailable:
                pass  # it is believed for some seconds more
            finally:
                self._lock.release()

    def _age_s(self) -> float:
        return float("inf") if self._looked_at is None else time.monotonic() - self._looked_at

    def _look(self) -> None:
        now = time.monotonic()
        if self._looked_at is None:
            self._begin()
        at_once(self._keyring.refresh())
        at_once(self._keyring.note_use())
        at_once(self._pressure.look())
        self._looked_at = now

    def _begin(self) -> None:
        try:
            current = is_current(self._database)
        except ConfigurationError as error:  # from a newer version: it may be put back, the site need not end
            raise StoreUnavailable(str(error)) from error
        if not current:
            raise StoreUnavailable(
                f"the store at {self._database.url.rpartition('@')[2]} does not have the tables of this version: start "
                "a worker first, and name the same STREAMAPP_HOME or STREAMAPP_DATABASE_URL"
            )
