"""The notification process: a row in the platform's inbox for each message, one at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from benchmarks.origin import NOTIFICATION
from benchmarks.origin.config import INBOX, consumer, say_ready

__all__ = ["main"]

TABLE = "create table if not exists inbox (id integer primary key, recipient text, title text)"


def main() -> None:
    """Run until killed."""
    with closing(sqlite3.connect(INBOX)) as database:
        database.execute(TABLE)
        database.commit()
        reader = consumer(NOTIFICATION)
        say_ready(reader)
        for message in reader:
            row = (message.value["to"], message.value["title"])
            database.execute("insert into inbox (recipient, title) values (?, ?)", row)
            database.commit()


if __name__ == "__main__":
    main()
