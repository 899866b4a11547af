"""How long ago something was, by a clock that may be set back.

A row's time is the database's (`clock()`), so machines agree about it; but the database's own machine may have its
clock set back, and then rows stand in the future. "More than five seconds ago" would not hold for them until the clock
comes by again, an hour later perhaps, and what a crash left undone would wait all that time. So a time in the future
counts as long ago: nothing here is harmed by being done once more. What must not happen early, as removing, compares by
itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from streamapp.store.schema import clock

__all__ = ["AHEAD_S", "elapsed", "within"]

AHEAD_S = 5.0  # a row this far ahead of the clock says that the clock was set back


def elapsed(moment: Any, seconds: float) -> ColumnElement[bool]:
    """Whether that moment is more than `seconds` ago, or so far ahead that the clock was set back; null is neither."""
    return or_(moment < clock() - seconds, moment > clock() + AHEAD_S)


def within(moment: Any, seconds: float) -> ColumnElement[bool]:
    """Whether that moment is at most `seconds` ago, and not ahead: the other way round."""
    return and_(moment >= clock() - seconds, moment <= clock() + AHEAD_S)
