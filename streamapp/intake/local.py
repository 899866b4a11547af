"""Whoever asks where no keys are asked for: this machine's own programs, and pages that this worker itself served.

A worker bound to loopback trusts whoever reaches it. A browser on the same machine reaches it too, and asks for any
page that is open in it. So a name that merely resolves to this machine is refused (DNS rebinding), and so is a page
from elsewhere.
Sources: RFC 9110, 15.5.20; Fetch, 3.2; Fetch Metadata, 2.3.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web

from streamapp.intake.refusal import Refused
from streamapp.intake.sites import is_of, netloc_of

__all__ = ["is_named", "refuse_elsewhere"]

ELSEWHERE = ("cross-site", "same-site")  # another port of this machine is of the same site
SAFE = ("GET", "HEAD", "OPTIONS")


def refuse_elsewhere(request: web.Request, link_base: str, origins: Collection[str]) -> None:
    """Raise `Refused` with 421 for another's name, and with 403 for another's page.

    `link_base` is how users reach the pages, `origins` are those that browsers may call from.
    """
    named = request.headers.get("Host")  # every browser sends it
    if named is not None and not _is_ours(named, link_base):
        detail = (
            f"This worker asks for no key and so answers to localhost alone, not to {named}: ask for {link_base}, or "
            "say in STREAMAPP_PUBLIC_URL how it is reached."
        )
        raise Refused(421, detail, field="Host")
    origin = request.headers.get("Origin")
    if origin is not None and not is_of(origin, request.host, link_base) and not is_named(origin, origins):
        raise _another_page(origin)
    if origin is None and request.method not in SAFE and request.headers.get("Sec-Fetch-Site") in ELSEWHERE:
        raise _another_page("another site")


def is_named(origin: str, origins: Collection[str]) -> bool:
    """Whether browsers may call from there without a key: ``*`` is for those that have one, and names nobody."""
    return origin != "*" and origin in origins


def _another_page(whose: str) -> Refused:
    detail = (
        f"This came from a page of {whose}, and this worker asks for no key. Name that origin in "
        "STREAMAPP_CORS_ORIGINS, or make a key with `streamapp keys create NAME`."
    )
    return Refused(403, detail, field="Origin")


def _is_ours(named: str, link_base: str) -> bool:
    host = _host(f"//{named}")
    if host == "localhost" or host.endswith(".localhost") or host == _host(link_base):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".") if netloc_of(url) else ""
