"""What jobs ended in. The plot and attachments stand apart, so that showing a job reads no pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, insert, literal, select

from streamapp.identity import Run
from streamapp.store.schema import files, reports
from streamapp.store.sql import AnyRow, insert_or_ignore
from streamapp.tasks.contract import Attachment, Plot, Report

__all__ = ["PLOT", "copy", "file_of", "files_of", "keep", "load", "row_of"]

PLOT = 0


def keep(connection: Connection, run: Run, report: Report) -> None:
    """Store a report, its plot and its attachments."""
    key = {"tenant": run.tenant, "job": run.job, "run": run.run}
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
    key = {"tenant": run.tenant, "job": run.job, "run": run.run}
    for table in (reports, files):
        names = [column.name for column in table.c if column.name not in key]
        own = [literal(value, table.c[name].type).label(name) for name, value in key.items()]
        rows = select(*own, *(table.c[name] for name in names)).where(_of(table, source))
        connection.execute(insert(table).from_select([*key, *names], rows))
    return True


def row_of(connection: Connection, run: Run) -> AnyRow | None:
    """The report's row, without its files."""
    return connection.execute(select(reports).where(_of(reports, run))).one_or_none()


def files_of(connection: Connection, run: Run) -> Sequence[AnyRow]:
    """Position, name, media type and size of the report's files."""
    size = func.length(files.c.content).label("size")
    query = select(files.c.position, files.c.name, files.c.media_type, size).where(_of(files, run))
    return connection.execute(query.order_by(files.c.position)).all()


def file_of(connection: Connection, run: Run, position: int) -> AnyRow | None:
    """One file with its content."""
    return connection.execute(select(files).where(_of(files, run), files.c.position == position)).one_or_none()


def load(connection: Connection, run: Run) -> Report | None:
    """The whole report again."""
    row = row_of(connection, run)
    if row is None:
        return None
    rows = connection.execute(select(files).where(_of(files, run)).order_by(files.c.position)).all()
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


def _of(table: Any, run: Run) -> Any:
    return and_(table.c.tenant == run.tenant, table.c.job == run.job, table.c.run == run.run)
