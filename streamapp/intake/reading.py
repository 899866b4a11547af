"""A report as programs, terminals and browsers read it."""

from __future__ import annotations

from aiohttp import web
from markupsafe import Markup, escape

from streamapp.intake.accept import chosen
from streamapp.intake.handling import as_json
from streamapp.intake.refusal import Refused
from streamapp.resources import ReportResource

__all__ = ["HEADERS", "kind_of", "shown"]

KINDS = {"json": "application/json", "txt": "text/plain", "html": "text/html"}
#: Which one an address without a suffix gives depends on `Accept`. A task's HTML may show pictures and run nothing.
HEADERS = {
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
PAGE = Markup(
    '<!doctype html>\n<html>\n<head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>{subject}</title></head>\n'
    "<body>\n<h1>{subject}</h1>\n{plot}{body}\n</body>\n</html>\n"
)
PLOT = Markup('<p><img src="{href}" alt="{alt}"></p>\n')
WORDS = Markup('<pre style="white-space: pre-wrap">{text}</pre>')


def kind_of(request: web.Request, suffix: str | None) -> str:
    """The media type that a suffix names, or that the client wants most. Raises `Refused`."""
    if suffix is not None:
        if suffix not in KINDS:
            raise Refused(404, f"There is nothing at {request.path}; there are {', '.join(KINDS)}.")
        return KINDS[suffix]
    kind = chosen(", ".join(request.headers.getall("Accept", [])), tuple(KINDS.values()))
    if kind is None:
        raise Refused(406, f"A report is there as {', '.join(KINDS.values())}.", field="Accept")
    return kind


def shown(report: ReportResource, kind: str) -> web.Response:
    """The report in that media type."""
    if kind == "application/json":
        response = as_json(report)
    else:
        text = report.text if kind == "text/plain" else _page(report)
        response = web.Response(text=text, content_type=kind, charset="utf-8")
    response.headers.update(HEADERS)
    return response


def _page(report: ReportResource) -> str:
    """The task's own HTML is let through: by contract it escapes what it quotes. Without one, its text."""
    body = Markup(report.html) if report.html else WORDS.format(text=report.text)
    plot = PLOT.format(href=report.plot.href, alt=report.plot_alt or "") if report.plot else Markup()
    return PAGE.format(subject=escape(report.subject), plot=plot, body=body)
