"""Whether a browser sent a request for somebody else's page (OWASP: verify the origin of a request)."""

from __future__ import annotations

from urllib.parse import urlsplit

from streamapp.intake.asked import Asked
from streamapp.intake.refusal import Refused

__all__ = ["refuse_other_sites"]


def refuse_other_sites(request: Asked, link_base: str) -> None:
    """A form on somebody else's page must not send work from here. Raises `Refused` with 403."""
    origin = request.headers.get("Origin")
    own = (request.host, urlsplit(link_base).netloc)
    if origin is not None and urlsplit(origin).netloc not in own:
        raise Refused(403, "This form was sent from another site.")
