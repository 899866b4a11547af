"""Numbers, times and states in words, for the templates: kept out of them so that they can be tested by themselves.

The script in ``assets/live.js`` writes the same words for progress; change both.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from markupsafe import Markup

from streamapp.operator_resources import AgentResource
from streamapp.resources import DeliveryResource, JobResource, ReportResource

__all__ = [
    "FILTERS",
    "address_of",
    "bars",
    "count",
    "duration",
    "fragment",
    "percent",
    "progress",
    "signature",
    "size",
    "status",
    "title",
    "took",
    "utc",
]

ACTIVE = ("queued", "running")
UNSETTLED = ("pending", "sending")
BARS = 64
FULL_BAR = 20  # a lag below this never fills the bar: one message behind is no news
INSTANT = "less than a second"
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))

STATUS = {
    "queued": "Waiting",
    "running": "Running",
    "succeeded": "Ready",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "expired": "Expired",
    "pending": "Waiting",
    "sending": "Sending",
    "sent": "Sent",
    "parked": "On hold",
    "dead": "Given up",
}


def title(job: JobResource) -> str:
    """What to call a job: its name, else its task and the beginning of its id."""
    return (job.name or "").strip() or f"{job.task} {job.id[:8]}"


def status(value: str) -> str:
    """A job's or a delivery's state as a reader would say it."""
    return STATUS.get(value, value)


def count(number: float) -> str:
    """A number with its thousands apart: 12,345; a small fraction keeps one digit: 3.2."""
    return f"{number:,.1f}" if number != int(number) and number < 100 else f"{number:,.0f}"


def size(number: int) -> str:
    """Bytes in decimal units, rounded down, so that a limit is never overstated."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{math.floor(amount)} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that matter: 8 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 1:
        return INSTANT
    first = next(index for index, (_, unit) in enumerate(UNITS) if whole >= unit)
    name, unit = UNITS[first]
    line = f"{whole // unit} {name}"
    for small, step in UNITS[first + 1 : first + 2]:
        if part := whole % unit // step:
            line += f" {part} {small}"
    return line


def _roughly(seconds: float) -> str:
    """An estimate claims no seconds once it is longer than a minute."""
    said = duration(seconds if seconds < 60 else 60 * round(seconds / 60))
    return said if said == INSTANT else f"about {said}"


def percent(job: JobResource) -> int | None:
    """How far, rounded down so that 100 means done; None while the total is not known."""
    done, total = job.progress.done, job.progress.total
    return None if total <= 0 else max(0, min(100, 100 * done // total))


def progress(job: JobResource) -> str:
    """How far a waiting or running job is, in one line."""
    if job.status == "queued":
        line = (
            "Next in line"
            if job.position == 1
            else f"Number {count(job.position)} in line"
            if job.position
            else "Waiting"
        )
    elif (part := percent(job)) is None:
        line = "Reading the document"
    else:
        line = f"{count(job.progress.done)} of {count(job.progress.total)} parts · {part} %"
    return line if job.eta_s is None else f"{line} · {_roughly(job.eta_s)} left"


def took(job: JobResource) -> str | None:
    """How long a finished job ran; None for one that never started."""
    if job.started_at is None or job.finished_at is None:
        return None
    return duration((job.finished_at - job.started_at).total_seconds())


def utc(moment: datetime) -> Markup:
    """A time element in UTC; the script turns it into the reader's own time zone."""
    at = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at.day} {at:%b %Y, %H:%M} UTC"
    )


def signature(job: JobResource) -> str:
    """What, when it changes, means that the page has more to show than a longer bar."""
    return " ".join([job.status, *(f"{each.state}:{each.attempts}" for each in job.deliveries)])


def address_of(delivery: DeliveryResource) -> str:
    """Where a delivery goes, in words."""
    kinds = {"email": "E-mail to", "webhook": "Webhook to", "notification": "Inbox"}
    return kinds[delivery.kind] if delivery.kind == "notification" else f"{kinds[delivery.kind]} {delivery.recipient}"


def fragment(report: ReportResource) -> Markup:
    """The report's HTML, let through unescaped: the one place in these pages where that happens.

    It is made by a task, which by contract escapes what it quotes from a document; tasks are installed code and so
    trusted as far as this package. The pages' Content-Security-Policy allows no inline script should one slip.
    """
    return Markup(report.html or "")


def bars(agent: AgentResource) -> list[int]:
    """The lag of each partition as heights from 0 to 20; empty when there are too many to draw."""
    if len(agent.partitions) > BARS:
        return []
    highest = max(FULL_BAR, *(each.lag for each in agent.partitions)) if agent.partitions else FULL_BAR
    return [0 if each.lag <= 0 else max(2, round(20 * each.lag / highest)) for each in agent.partitions]


FILTERS = {
    each.__name__: each
    for each in (
        address_of,
        bars,
        count,
        duration,
        fragment,
        percent,
        progress,
        signature,
        size,
        status,
        title,
        took,
        utc,
    )
}
