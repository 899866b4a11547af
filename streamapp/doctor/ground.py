"""What the checks share: the settings, where the broker is, and whether it can be asked."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.doctor.finding import aside
from streamapp.embedded.ports import local_broker
from streamapp.errors import BrokerUnavailable, ConfigurationError, StreamappError
from streamapp.kafka.access import Kafka
from streamapp.kafka.greeting import Greeting, greet
from streamapp.settings import Settings
from streamapp.tasks.registry import Registry, load_registry

__all__ = ["Ground"]


class Ground:
    """One examination's. The broker is greeted once for all checks, however many ask."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self.settings = settings
        self.timeout_s = timeout_s
        self._greeting: asyncio.Task[Greeting] | None = None
        self._brokers: asyncio.Task[Mapping[str, str]] | None = None
        self._registry: asyncio.Task[Registry] | None = None
        self._idle: asyncio.Task[bool] | None = None

    @functools.cached_property
    def kafka(self) -> Kafka:
        """How the broker is reached. Raises `ConfigurationError` where none is named and none of the home's runs."""
        servers = self.settings.broker or local_broker(self.settings.home)
        if servers is None:
            raise ConfigurationError(
                f"STREAMAPP_BROKER is not set, and no broker of {self.settings.home} runs: name one, or start "
                "`streamapp up`."
            )
        return Kafka.of(self.settings.model_copy(update={"broker": servers}))

    async def idle(self) -> bool:
        """Whether the broker is left to `streamapp up`, and none of the home's listens."""
        if self._idle is None:
            named, home = self.settings.broker, self.settings.home
            self._idle = asyncio.create_task(aside(lambda: not named and local_broker(home) is None))
        return await asyncio.shield(self._idle)

    async def greeting(self) -> Greeting:
        """What the broker answers. Raises `StreamappError` as `greet` does."""
        if self._greeting is None:
            self._greeting = asyncio.create_task(greet(self.kafka, self.timeout_s / 2))
        return await asyncio.shield(self._greeting)

    async def brokers(self) -> Mapping[str, str]:
        """The addresses that the cluster names for its brokers, each with why it does not work from here, or ""."""
        if self._brokers is None:
            self._brokers = asyncio.create_task(self._greet_each())
        return await asyncio.shield(self._brokers)

    async def _greet_each(self) -> Mapping[str, str]:
        addresses = (await self.greeting()).brokers
        return dict(zip(addresses, await asyncio.gather(*map(self._refusal, addresses)), strict=True))

    async def _refusal(self, address: str) -> str:
        try:
            await greet(dataclasses.replace(self.kafka, servers=address), self.timeout_s / 3)
        except StreamappError as error:
            return str(error)
        return ""

    async def registry(self) -> Registry:
        """The tasks. Raises `ConfigurationError`."""
        if self._registry is None:
            wanted = self.settings.tasks, self.settings.only_tasks
            self._registry = asyncio.create_task(aside(lambda: load_registry(*wanted)))
        return await asyncio.shield(self._registry)

    async def missing(self) -> str:
        """Why the broker can't be asked about topics, in a few words; empty when it can."""
        try:
            if all((await self.brokers()).values()):
                return "no broker answers at the address that the cluster names"
            await self.registry()  # it says which topics there are
        except BrokerUnavailable:
            return "the broker does not answer"
        except ConfigurationError:
            return "the broker or the tasks can't be used as they are configured"
        except StreamappError as error:
            return str(error)
        return ""

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client that is started. Raises `BrokerUnavailable` where a question is refused."""
        admin = AIOKafkaAdminClient(request_timeout_ms=int(self.timeout_s * 1000), **self.kafka.options)
        try:
            await admin.start()
            yield admin
        except KafkaError as error:
            raise BrokerUnavailable(
                f"Kafka answers {error!r}: look at its log, and whether this user has the rights that "
                "docs/operations.md names."
            ) from error
        finally:
            await admin.close()
