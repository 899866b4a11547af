"""Every failure this project names, so that a reader can see what may go wrong and what follows from it.

The one distinction that decides the fate of a message is between `Permanent` and `Transient`::

    StreamappError
    ├── ConfigurationError      the settings are wrong: said in one sentence at start, exit code 78
    ├── Permanent               doing it again gives the same answer: dead letter, failed job or 4xx
    │   ├── BadDocument         the document can't be read
    │   ├── InvalidMessage      bytes on a topic that are no message of ours
    │   └── TaskFailed          a task's own code raised, or an item it can't do without failed for good
    └── Transient               it may work later: tried again, unacked, with backoff
        ├── StoreUnavailable    the database can't be reached, is locked or read-only
        └── BrokerUnavailable   Kafka can't be reached, or did not acknowledge in time
"""

from __future__ import annotations

__all__ = [
    "BadDocument",
    "BrokerUnavailable",
    "ConfigurationError",
    "InvalidMessage",
    "Permanent",
    "StoreUnavailable",
    "StreamappError",
    "TaskFailed",
    "Transient",
]


class StreamappError(Exception):
    """The root of the tree above."""


class ConfigurationError(StreamappError):
    """The settings are wrong; the message is one sentence that says which and what would be right."""


class Permanent(StreamappError):
    """Doing it again gives the same answer."""


class BadDocument(Permanent):
    """The document can't be read; the message says why, in words for the person who sent it."""


class InvalidMessage(Permanent):
    """Bytes on a topic that are no message of ours."""


class TaskFailed(Permanent):
    """A task's own code raised, or an item it can't do without failed for good."""


class Transient(StreamappError):
    """It may work later."""


class StoreUnavailable(Transient):
    """The database can't be reached, is locked or read-only."""


class BrokerUnavailable(Transient):
    """Kafka can't be reached, or did not acknowledge in time."""
