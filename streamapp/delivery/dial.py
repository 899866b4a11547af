"""Connections that lead to public addresses only, whatever a name stands for at the moment (DNS rebinding).

A host is looked up once for an attempt. Each address that its name stands for is checked, and one that is refused
refuses them all: a name that stands for a public and a private address at once is nobody's mistake. The connection is
made to an address of that answer, and looked at once more as its socket is made, which catches what came by no name.
The host's name stays that of the URL for TLS (SNI, and the certificate's check) and for the Host header.

Names are looked up in threads of their own: servers of names that hang, which anybody may have, take no thread of the
intake's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from streamapp.delivery.addresses import Address, read_address
from streamapp.delivery.target import Rules, Target

__all__ = ["AddressRefused", "LookUp", "Names", "connector_for"]

#: The addresses that a host's name stands for, as text. Raises OSError when there are none, or nobody answers.
LookUp = Callable[[str], Awaitable[Sequence[str]]]


class AddressRefused(OSError):
    """The host is at an address that nobody may have called from here."""


class Names:
    """A `LookUp` by the system's resolver, a bounded number at a time."""

    def __init__(self, at_a_time: int) -> None:
        self._threads = ThreadPoolExecutor(at_a_time, thread_name_prefix="webhook-names")

    async def __call__(self, host: str) -> Sequence[str]:
        """Look it up."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host)
        return list(dict.fromkeys(found))


def connector_for(target: Target, rules: Rules, look_up: LookUp, tls: Any) -> TCPConnector:
    """A connector for one attempt at one target; `tls` is an `ssl.SSLContext`, or True for the system's."""

    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = info
        _check(target, rules, str(place[0]))
        return socket.socket(family, kind, protocol)

    return TCPConnector(
        resolver=_Resolver(target, rules, look_up),
        socket_factory=checked_socket,
        use_dns_cache=False,
        force_close=True,
        ssl=tls,
    )


class _Resolver(AbstractResolver):
    """Gives out addresses that were checked, and only of the target's host."""

    def __init__(self, target: Target, rules: Rules, look_up: LookUp) -> None:
        self._target = target
        self._rules = rules
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look it up and check all of it."""
        if host != self._target.host:
            raise AddressRefused(f"{host} is not the host that was asked for")
        found = [_check(self._target, self._rules, text) for text in await self._look_up(host)]
        if not found:
            raise OSError(f"{host} has no address")
        return [_result(host, port, address) for address in found]

    async def close(self) -> None:
        """There is nothing to close."""


def _check(target: Target, rules: Rules, text: str) -> Address:
    address = read_address(text)
    if address is None:
        raise AddressRefused(f"{target.host} is at {text}, which is refused")
    if why := target.refuses(address, rules):
        raise AddressRefused(f"{target.host} is at {address}, which is refused: it is {why}")
    return address


def _result(host: str, port: int, address: Address) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def _addresses(host: str) -> list[str]:
    return [str(place[0]) for *_, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
