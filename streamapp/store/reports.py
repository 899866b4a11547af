"""What jobs ended in. The plot and attachments stand apart, so that showing a job reads no pictures.

What is read for each job is stated once: to build a statement costs about twice what it takes to run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, and_, bindparam, func, insert, literal, select

from streamapp.identity import Run
from streamapp.store.often import Often
from streamapp.store.schema import files, reports
from streamapp.store.sql import AnyRow, insert_or_ignore
from streamapp.tasks.contract import Attachment, Plot, Report

__all__ = ["PLOT", "copy", "file_of", "files_of", "has_file", "head_of", "keep", "load", "made_at", "row_of"]

PLOT = 0
KEY = ("tenant", "job", "run")


def _mine(table: Table) -> ColumnElement[bool]:
    """Of the run that is given with the statement."""
    return and_(*(table.c[name] == bindparam(name) for name in KEY))


MADE_AT = Often(select(reports.c.created_at).where(_mine(reports)))
ROW = Often(select(reports).where(_mine(reports)))
FILES = Often(select(files).where(_mine(files)).order_by(files.c.position))
FILE = Often(select(files).where(_mine(files), files.c.position == bindparam("position")))
THERE = Often(select(files.c.position).where(_mine(files), files.c.position == bindparam("position")))
HEAD = Often(
    select(func.substr(files.c.content, 1, bindparam("length"), type_=LargeBinary)).where(
        _mine(files), files.c.position == bindparam("position")
    )
)
SIZES = Often(
    select(files.c.position, files.c.name, files.c.media_type, func.length(files.c.content).label("size"))
    .where(_mine(files))
    .order_by(files.c.position)
)


def keep(connection: Connection, run: Run, report: Report) -> None:
    """Store a report, its plot and its attachments."""
    key = _key(run)
    row = {
        "subject": report.subject,
        "text": report.text,
        "html": report.html,
        "data": json.dumps(report.data),
        "plot_alt": report.plot.alt if report.plot else None,
    }
    insert_or_ignore(connection, reports, {**key, **row}, "created_at")
    if report.plot:
        plot = {"position": PLOT, "name": "plot.png", "media_type": "image/png", "content": report.plot.png}
        insert_or_ignore(connection, files, {**key, **plot})
    for position, file in enumerate(report.attachments, start=PLOT + 1):
        content = {"name": file.name, "media_type": file.media_type, "content": file.content}
        insert_or_ignore(connection, files, {**key, "position": position, **content})


def copy(connection: Connection, source: Run, run: Run) -> bool:
    """Give `run` the report of `source`, with its files. False when that has none (any more)."""
    if row_of(connection, source) is None:
        return False
    key = _key(run)
    for table in (reports, files):
        names = [column.name for column in table.c if column.name not in key]
        own = [literal(value, table.c[name].type).label(name) for name, value in key.items()]
        rows = select(*own, *(table.c[name] for name in names)).where(_mine(table))
        connection.execute(insert(table).from_select([*key, *names], rows), _key(source))
    return True


def row_of(connection: Connection, run: Run) -> AnyRow | None:
    """The report's row, without its files."""
    return ROW(connection, _key(run)).one_or_none()


def made_at(connection: Connection, run: Run) -> float | None:
    """When the run's report was stored; None when it has none."""
    return MADE_AT(connection, _key(run)).scalar_one_or_none()


def has_file(connection: Connection, run: Run, position: int) -> bool:
    """Whether there is such a file, without reading it."""
    return THERE(connection, {**_key(run), "position": position}).first() is not None


def head_of(connection: Connection, run: Run, position: int, length: int) -> bytes:
    """The first bytes of a file, so many at most; none where there is no such file."""
    wanted = {**_key(run), "position": position, "length": length}
    return HEAD(connection, wanted).scalar_one_or_none() or b""


def files_of(connection: Connection, run: Run) -> Sequence[AnyRow]:
    """Position, name, media type and size of the report's files."""
    return SIZES(connection, _key(run)).all()


def file_of(connection: Connection, run: Run, position: int) -> AnyRow | None:
    """One file with its content."""
    return FILE(connection, {**_key(run), "position": position}).one_or_none()


def load(connection: Connection, run: Run, *, whole: bool = True) -> Report | None:
    """The whole report again, or all but its plot and its attachments."""
    row = row_of(connection, run)
    if row is None:
        return None
    rows = FILES(connection, _key(run)).all() if whole else []
    plot = next((file for file in rows if file.position == PLOT), None)
    return Report.model_construct(
        subject=row.subject,
        text=row.text,
        html=row.html,
        data=json.loads(row.data),
        plot=Plot.model_construct(png=plot.content, alt=row.plot_alt) if plot else None,
        attachments=[
            Attachment.model_construct(name=file.name, media_type=file.media_type, content=file.content)
            for file in rows
            if file.position != PLOT
        ],
    )


def _key(run: Run) -> dict[str, Any]:
    return {"tenant": run.tenant, "job": run.job, "run": run.run}
