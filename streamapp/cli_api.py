"""What the commands have in common that ask the API."""

from __future__ import annotations

from streamapp.client import Client
from streamapp.settings import load_settings

__all__ = ["client_of"]


def client_of(url: str | None) -> Client:
    """A client of the API at that address, or where the settings say it is, with the settings' key."""
    settings = load_settings()
    return Client(url or settings.link_base, api_key=settings.api_key)
