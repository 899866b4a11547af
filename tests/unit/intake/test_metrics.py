"""What an operator's alarms see."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from streamapp.intake.metrics import counted, render
from streamapp.operator_resources import AgentResource, Overview
from streamapp.store.database import Database
from streamapp.store.upkeep import dead_letters
from tests.unit.store.rows import reserved


def values(text: bytes) -> dict[tuple[str, frozenset[str]], float]:
    """Each of our samples, by its name and its labels' values."""
    families = text_string_to_metric_families(text.decode())
    samples = (sample for family in families for sample in family.samples if sample.name.startswith("streamapp_"))
    return {(sample.name, frozenset(sample.labels.values())): sample.value for sample in samples}


def test_what_there_is_is_counted(database: Database) -> None:
    """I expect jobs by status, open dead letters, each agent's lag, and nought where there is nothing."""
    seen = values(render(database.read_sync(counted), Overview(agents=[], workers=[])))
    assert seen["streamapp_dead_letters", frozenset({"open"})] == 0
    assert seen["streamapp_deliveries", frozenset({"email", "parked"})] == 0
    assert seen["streamapp_model_workers", frozenset()] == 0

    for _ in range(3):
        reserved(database)
    letter = {"source": "t/0/1", "state": "open", "reason": "bad", "attempts": 1, "first_seen": 1.0, "last_seen": 1.0}
    database.write_sync(lambda connection: connection.execute(insert(dead_letters).values(**letter)))
    agent = AgentResource(name="email", group="g", topic="t.email", partitions=[], lag=7, rate=None)
    seen = values(render(database.read_sync(counted), Overview(agents=[agent], workers=[])))
    assert seen["streamapp_jobs", frozenset({"queued"})] == 3
    assert seen["streamapp_dead_letters", frozenset({"open"})] == 1
    assert seen["streamapp_lag", frozenset({"email", "t.email"})] == 7
