"""What an operator's alarms look at, in Prometheus' text format: jobs, deliveries, dead letters, lag, model workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, func, select

from streamapp.operator_resources import Overview
from streamapp.store.schema import deliveries, jobs
from streamapp.store.upkeep import dead_letters

__all__ = ["Counts", "counted", "render"]

Counts = dict[str, dict[tuple[str, ...], int]]


def counted(connection: Connection) -> Counts:
    """How many rows there are: jobs by status, deliveries by kind and state, dead letters by state."""
    groups = {
        "jobs": (jobs.c.status,),
        "deliveries": (deliveries.c.kind, deliveries.c.state),
        "dead_letters": (dead_letters.c.state,),
    }
    return {
        name: {tuple(row[:-1]): row[-1] for row in connection.execute(select(*by, func.count()).group_by(*by))}
        for name, by in groups.items()
    }


def render(counts: Counts, overview: Overview) -> bytes:
    """The text: this deployment's gauges, and then this process's."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(counts, overview))
    return generate_latest(registry) + generate_latest(REGISTRY)


class _Snapshot:
    """One look at the deployment."""

    def __init__(self, counts: Counts, overview: Overview) -> None:
        self._counts = counts
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """The families; those that are zero are there too, so that an alarm can tell none from unknown."""
        yield self._family("jobs", "Jobs in the store, by status", ("status",), [])
        yield self._family("deliveries", "Deliveries, by kind and state", ("kind", "state"), [("email", "parked")])
        yield self._family("dead_letters", "Dead letters, by state", ("state",), [("open",)])
        lag = GaugeMetricFamily(
            "streamapp_lag", "Messages that an agent has not committed yet", labels=("agent", "topic")
        )
        for agent in self._overview.agents:
            lag.add_metric((agent.name, agent.topic), agent.lag)
        yield lag
        workers = len(self._overview.workers)
        yield GaugeMetricFamily("streamapp_model_workers", "Model workers that live", value=workers)

    def _family(self, name: str, help_: str, labels: tuple[str, ...], always: Iterable[tuple[str, ...]]) -> Metric:
        family = GaugeMetricFamily(f"streamapp_{name}", help_, labels=labels)
        for values, count in sorted({**dict.fromkeys(always, 0), **self._counts[name]}.items()):
            family.add_metric(values, count)
        return family
