"""What both clients are made with: the address and the headers of every call, checked at once; the sizes of pages."""

from __future__ import annotations

import httpx

from streamapp import __version__
from streamapp.errors import ConfigurationError

__all__ = ["LONGEST_PAGE", "PAGE", "address_of", "headers_of"]

PAGE, LONGEST_PAGE = 20, 100
SCHEME = "bearer "


def address_of(base_url: str) -> httpx.URL:
    """The address. Raises `ConfigurationError` for one that can be none."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{base_url!r} is no address of an API: {error}.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"{base_url!r} is no address of an API; one looks like http://127.0.0.1:6066.")
    return url


def headers_of(api_key: str) -> dict[str, str]:
    """The headers of every call; a call's own come on top. Raises `ConfigurationError`, which does not show the key."""
    if not (api_key.isascii() and api_key.isprintable()):
        raise ConfigurationError("The API key has characters that no key has: perhaps an end of line too many.")
    if api_key.lower().startswith(SCHEME):
        raise ConfigurationError("The API key is what stands behind “Bearer”, without that word, which is added to it.")
    headers = {"Accept": "application/json", "User-Agent": f"streamapp/{__version__}"}
    return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
