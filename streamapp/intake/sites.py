"""Whether a browser sent a request for somebody else's page (OWASP: verify the origin of a request)."""

from __future__ import annotations

from urllib.parse import urlsplit

from streamapp.intake.asked import Asked
from streamapp.intake.refusal import Refused

__all__ = ["is_of", "netloc_of", "refuse_other_sites"]


def refuse_other_sites(request: Asked, link_base: str) -> None:
    """A form on somebody else's page must not send work from here. Raises `Refused` with 403."""
    origin = request.headers.get("Origin")
    if origin is not None and not is_of(origin, request.host, link_base):
        raise Refused(403, "This form was sent from another site.")


def is_of(origin: str, host: str, link_base: str) -> bool:
    """Whether a page of that origin is one of ours: `host` is what the request asked for."""
    return netloc_of(origin) in (host, netloc_of(link_base))


def netloc_of(url: str) -> str | None:
    """The host and port that it names; None for what is no URL."""
    try:
        return urlsplit(url).netloc
    except ValueError:  # half a bracket
        return None
