"""The settings of who may ask for what: web views, keys, other sites' pages, and sizes.

A part of `streamapp.settings.Settings`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from streamapp.settings_values import MiB, Names

__all__ = ["IntakeSettings"]


class IntakeSettings(BaseSettings):
    """Where the web views are, and what they take."""

    web_host: str = Field("127.0.0.1", description="The address that the web views listen on.")
    web_port: int = Field(6066, ge=1, le=65535, description="Their port.")
    public_url: str = Field(
        "",
        description="How users reach the web views, an http:// or https:// URL, for links in e-mails. Empty: http://host:port.",
    )
    keys: Literal["auto", "required", "off", "off-and-anyone-may-use-this"] = Field(
        "auto",
        description="Whether API keys are asked for. auto: as soon as there is one, and always where others may "
        "reach STREAMAPP_WEB_HOST. required: always. off: never, on this machine alone; the longer words: anywhere.",
    )
    api_key: str = Field("", repr=False, description="The API key that the commands send.")
    cors_origins: Names = Field(
        (),
        description="Origins whose pages may call the API from a browser, comma separated, such as "
        "https://books.example.org; empty: none; *: any, but none where no key is asked for; cookies never go with it.",
    )
    event_streams: int = Field(
        2000, ge=1, description="Streams of events that a worker has open at most; it answers 503 to more."
    )
    max_body_bytes: int = Field(
        32 * MiB, ge=1024, description="The largest request body, after decompression, but for a document in it."
    )
    max_document_bytes: int = Field(
        1024 * MiB,
        ge=1024,
        le=2**31 - 1,
        description="The largest document in a form or by itself; a compressed one is bounded as other bodies are.",
    )
    uploads: int = Field(
        16, ge=1, le=1000, description="Documents of more than 2 MiB that are received at a time; more get 503."
    )
    upload_timeout_s: float = Field(
        3600.0, gt=0, le=24 * 3600, description="Seconds that a request's body may take; one must keep a pace too."
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in value and len(value) > 1:
            raise ValueError("* is any origin, so it stands alone")
        wrong = [origin for origin in value if origin != "*" and not _is_origin(origin)]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is no origin as browsers send it: scheme://host, and :port unless it is the usual one, "
                "in small letters and with nothing behind, such as https://books.example.org"
            )
        return value

    @field_validator("public_url")
    @classmethod
    def _links_lead_there(cls, value: str) -> str:
        if value and not _is_base(value):
            raise ValueError(
                "it must be an http:// or https:// URL with a host, and without a query or fragment, such as "
                "https://books.example.org"
            )
        return value

    @model_validator(mode="after")
    def _open_to_this_machine_alone(self) -> IntakeSettings:
        if self.keys == "off" and not self.is_local:
            raise ValueError(
                f"STREAMAPP_KEYS=off is for this machine alone, and STREAMAPP_WEB_HOST is {self.web_host!r}; say "
                "STREAMAPP_KEYS=off-and-anyone-may-use-this if that is wanted"
            )
        return self

    @property
    def is_local(self) -> bool:
        """Whether the web views listen where this machine alone reaches them."""
        try:
            return ipaddress.ip_address(self.web_host).is_loopback
        except ValueError:
            return self.web_host == "localhost"

    @property
    def link_base(self) -> str:
        """How users reach the web views, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.web_host}:{self.web_port}"


def _is_base(url: str) -> bool:
    """Whether a path can be put behind it to make a link."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or a bracket that is not closed
        return False
    return usable and not re.search(r"[\s\x00-\x1f\x7f?#]", url)


def _is_origin(text: str) -> bool:
    """Whether it is an origin in its one spelling (Fetch, 3.2.1; HTML, "ASCII serialisation of an origin")."""
    found = re.fullmatch(r"(https?)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?", text)
    return found is not None and found[2] != {"http": "80", "https": "443"}[found[1]]
