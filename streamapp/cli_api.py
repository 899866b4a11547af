"""What the commands have in common that ask the API."""

from __future__ import annotations

import click

from streamapp.client import AsyncClient, Client, Policy
from streamapp.settings import load_settings

__all__ = ["async_client_of", "client_of", "url_option"]

POLICY = Policy(attempts=3)  # somebody sits before it, and may have mistyped the address

url_option = click.option(
    "--url", metavar="URL", help="Where the API is.  [default: as the settings say, else http://127.0.0.1:6066]"
)


def client_of(url: str | None) -> Client:
    """A client of the API at that address, or where the settings say it is, with the settings' key."""
    settings = load_settings()
    return Client(url or settings.link_base, api_key=settings.api_key, policy=POLICY)


def async_client_of(url: str | None) -> AsyncClient:
    """The same to await."""
    settings = load_settings()
    return AsyncClient(url or settings.link_base, api_key=settings.api_key, policy=POLICY)
