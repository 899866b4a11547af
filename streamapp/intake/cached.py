"""Answers that a client may keep and ask for again only by their tag (RFC 9110, 8.8.3 and 13.1.2; RFC 9111).

They are one tenant's own, so no cache in between may keep them; and a retry gives the same address another content, so
that whoever keeps one asks each time.
"""

from __future__ import annotations

from aiohttp import web

from streamapp.identity import digest

__all__ = ["kept", "tag", "unchanged"]

ANY = "*"


def tag(*parts: object) -> str:
    """The tag of what these parts determine."""
    return digest(*(str(part) for part in parts))[:32]


def unchanged(request: web.Request, mark: str, **headers: str) -> web.Response | None:
    """304 when the client has what this tag stands for; else None."""
    known = request.if_none_match or ()
    if not any(each.value in (mark, ANY) for each in known):
        return None
    return kept(web.Response(status=304, headers=headers), mark)


def kept(response: web.Response, mark: str) -> web.Response:
    """The response with its tag, to be kept by the client alone."""
    response.etag = mark
    response.headers["Cache-Control"] = "private, no-cache"
    return response
