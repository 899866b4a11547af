"""Where a webhook goes: the URL, read strictly once, so that no two readers of it can differ about the host.

What is written in any other than the plainest way is refused: a name before the host, a fragment, an address in octal,
a character that some readers take for another. The host's name is checked here as far as its spelling goes; what it
stands for is looked up, and checked, at each attempt (`streamapp.delivery.dial`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from streamapp.delivery.addresses import Address, forbidden, read_address
from streamapp.errors import Permanent
from streamapp.settings import Settings

__all__ = ["LONGEST", "Rules", "Target", "WrongTarget", "host_of", "parse_target"]

LONGEST = 2048  # characters of a URL
LONGEST_NAME = 253  # of a host (RFC 1035, 2.3.4)
CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")  # RFC 3986, 2.2 and 2.3
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # in the end of a name it makes an address of it (WHATWG URL, 3.5)
NAMES_OF_HERE = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa")
DEFAULT_PORTS = {"https": 443, "http": 80}
FREE_PORT = 1024
# ports from there on that speak something else; source: the bad ports of the WHATWG Fetch standard
BAD_PORTS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080)
)


class WrongTarget(Permanent):
    """The URL is refused; the message says what is wrong with it and what would be right."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment allows beside https to the public internet: `http` to it, `loopback` of this machine."""

    http: bool = False
    loopback: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings' rules. Loopback is allowed where only this machine can ask for it."""
        public = settings.public_url
        only_here = not public or _is_here(urlsplit(public).hostname or "")
        return cls(settings.webhook_http, _is_here(settings.web_host) and only_here)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be called, in its one spelling, and the host that is to be looked up."""

    url: str
    scheme: str
    host: str
    port: int

    def refuses(self, address: Address, rules: Rules) -> str | None:
        """Why this target's host must not be at that address; None when it may."""
        if self.scheme == "http" and not rules.http and not address.is_loopback:
            return "not on this machine, and goes by http"
        return forbidden(address, loopback=rules.loopback)


def parse_target(url: str, rules: Rules) -> Target:
    """Read and check a URL. Raises `WrongTarget`."""
    if len(url) > LONGEST:
        raise WrongTarget(f"it has {len(url)} characters; {LONGEST} are the most")
    if not CHARACTERS.fullmatch(url):
        raise WrongTarget("it holds a character that no URL has; percent-encode its path, and write its host in ASCII")
    parts = _split(url)
    host = _host(parts)
    port = _port(parts)
    target = Target(_spelt(parts, host, port), parts.scheme, host, port)
    _check_host(target, rules)
    return target


def host_of(url: str) -> str:
    """The host of a URL that was parsed before, for its lane."""
    return urlsplit(url).hostname or ""


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise WrongTarget(f"it can't be read: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise WrongTarget("it must begin with https://")
    if "@" in parts.netloc:
        raise WrongTarget("it must hold no user name and no password; what is called checks the signature")
    if "#" in url:
        raise WrongTarget("it must have no fragment (#…): that is never sent")
    return parts


def _host(parts: SplitResult) -> str:
    """The host in its one spelling; an IPv6 address without its brackets."""
    host = parts.netloc.lower()
    if host.startswith("["):
        literal, bracket, rest = host[1:].partition("]")
        address = read_address(literal) if bracket and rest[:1] in ("", ":") else None
        if address is None or address.version != 6:
            raise WrongTarget("what is in brackets must be an IPv6 address, without a zone")
        return str(address)
    name = host.partition(":")[0].removesuffix(".")
    if len(name) > LONGEST_NAME or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise WrongTarget("its host is no name and no address")
    if NUMBER.fullmatch(name.rpartition(".")[2]) and read_address(name) is None:
        raise WrongTarget("its host is a number; write an address as four decimal numbers")
    return name


def _port(parts: SplitResult) -> int:
    default = DEFAULT_PORTS[parts.scheme]
    try:
        port = default if parts.port is None else parts.port
    except ValueError:
        port = -1
    if port != default and (port < FREE_PORT or port in BAD_PORTS):
        raise WrongTarget(f"its port must be {default}, or from {FREE_PORT} on and not that of another service")
    return port


def _spelt(parts: SplitResult, host: str, port: int) -> str:
    place = f"[{host}]" if ":" in host else host
    if port != DEFAULT_PORTS[parts.scheme]:
        place += f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{place}{parts.path or '/'}{query}"


def _check_host(target: Target, rules: Rules) -> None:
    address = read_address(target.host)
    here = address.is_loopback if address else _is_here(target.host)
    if target.scheme == "http" and not rules.http and not (here and rules.loopback):
        raise WrongTarget("it must begin with https://")
    if address is not None:
        if why := target.refuses(address, rules):
            raise WrongTarget(f"its host must be on the public internet; {address} is {why}")
    elif not (here and rules.loopback) and ("." not in target.host or _ends_here(target.host)):
        raise WrongTarget("its host must be on the public internet, and named in full")


def _is_here(host: str) -> bool:
    address = read_address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _ends_here(name: str) -> bool:
    return any(name == last or name.endswith(f".{last}") for last in NAMES_OF_HERE)
