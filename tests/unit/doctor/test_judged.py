"""What each check says of what it sees, with one fault planted at a time; the integration tests see the real thing."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from streamapp.doctor import api, broker, clock, configuration, disk, groups, keys, store, topics, versions
from streamapp.doctor.finding import Finding
from streamapp.doctor.ground import Ground
from streamapp.doctor.groups import Group, behind
from streamapp.doctor.topics import Topic
from streamapp.jobs.offsets import Progress
from streamapp.kafka.access import Kafka
from streamapp.resources import Readiness
from streamapp.settings import Settings
from streamapp.settings_values import MiB
from streamapp.topics import DAY_MS, TopicSpec

SPEC = TopicSpec("jobs", 7 * DAY_MS, max_message_bytes=MiB)
GOOD = {"retention.ms": str(7 * DAY_MS), "max.message.bytes": str(MiB), "cleanup.policy": "delete"}
PART = (1, 1, 1)


def _verdicts(findings: Sequence[Finding]) -> list[str]:
    return [each.verdict for each in findings]


def _settings(**values: object) -> Settings:
    return Settings.model_validate({"topic_partitions": 4, "topic_replicas": 1, **values})


@pytest.mark.parametrize(
    ("topic", "verdict", "said"),
    [
        (Topic([PART] * 4, GOOD), "ok", "1 topics are there"),
        (Topic([PART] * 4, {}), "ok", "1 topics are there"),  # a broker that tells nothing
        (Topic([PART] * 3, GOOD), "problem", "has 3 partitions"),
        (Topic([PART] * 5, GOOD), "warning", "has 5 partitions"),
        (Topic([PART, PART, PART, (-1, 1, 1)], GOOD), "problem", r"no leader: \[3\]"),
        (Topic([PART, (1, 2, 1), PART, PART], GOOD), "warning", r"are behind, of the partitions \[1\]"),
        (Topic([PART] * 4, {**GOOD, "retention.ms": str(DAY_MS)}), "problem", "for 1 days, and 7 are wanted"),
        (Topic([PART] * 4, {**GOOD, "retention.ms": str(30 * DAY_MS)}), "warning", "for 30 days"),
        (Topic([PART] * 4, {**GOOD, "retention.ms": "-1"}), "ok", "1 topics are there"),
        (Topic([PART] * 4, {**GOOD, "max.message.bytes": "1000"}), "problem", "1000 bytes at most"),
        (Topic([PART] * 4, {**GOOD, "cleanup.policy": "compact,delete"}), "problem", "compacted"),
        (Topic([(1, 3, 3)] * 4, {**GOOD, "min.insync.replicas": "1"}), "warning", "min.insync.replicas"),
    ],
)
def test_a_topic(topic: Topic, verdict: str, said: str) -> None:
    """I expect the one fault, with what to do about it."""
    [found] = topics.judged([SPEC], {"jobs": topic}, _settings(), brokers=1)
    assert found.verdict == verdict
    assert bool(found.advice) is (verdict != "ok")
    assert re.search(said, found.said)


def test_replicas() -> None:
    """I expect fewer than the settings want to be said, and one replica where there are brokers for three."""
    single = {"jobs": Topic([PART] * 4, GOOD)}
    assert "asks for 3" in topics.judged([SPEC], single, _settings(topic_replicas=3), brokers=3)[0].said
    assert "1 replicas on 3 brokers" in topics.judged([SPEC], single, _settings(), brokers=3)[0].said


def test_a_topic_that_is_missing() -> None:
    """I expect its name, and the command; that a worker makes it too is said only where it does."""
    by_worker = topics.judged([SPEC], {}, _settings(), brokers=1)
    by_hand = topics.judged([SPEC], {}, _settings(topic_create=False), brokers=1)
    assert _verdicts([*by_worker, *by_hand]) == ["problem", "problem"]
    assert ["start a worker" in each[0].advice for each in (by_worker, by_hand)] == [True, False]


@pytest.mark.parametrize(
    ("group", "verdict", "said"),
    [
        (Group("jobs workers", "Stable", 2, {"results": 0, "email": 12}), "ok", "2 jobs workers .* behind by email 12"),
        (Group("jobs workers", "Stable", 1, {"results": 0}), "ok", "behind by nothing"),
        (Group("model workers", "Empty", 0, {"chunks": 7}), "problem", "No model workers .* behind by chunks 7"),
        (Group("model workers", "PreparingRebalance", 1, {}), "warning", "PreparingRebalance"),
        (Group("model workers", "Dead", 1, {}), "warning", "Dead"),
    ],
)
def test_a_group(group: Group, verdict: str, said: str) -> None:
    """I expect who is in it, and what waits for it."""
    [found] = groups.judged("streamapp", group)
    assert (found.verdict, bool(re.search(said, found.said))) == (verdict, True)


def test_what_waits_for_a_commit_is_not_behind() -> None:
    """I expect what was there at first and is not committed then: neither a beat that is, nor what came in between."""
    first = {"beats": {0: Progress(40, 0, 41)}, "results": {0: Progress(7, 0, 12), 1: Progress(3, 0, 3)}, "email": {}}
    then = {"beats": {0: Progress(41, 0, 42)}, "results": {0: Progress(9, 0, 20), 1: Progress(3, 0, 5)}}
    assert behind(first, first) == {"beats": 1, "results": 5, "email": 0}
    assert behind(first, then) == {"beats": 0, "results": 3, "email": 0}


@pytest.mark.parametrize(
    ("configs", "verdict"),
    [
        ({"offsets.retention.minutes": "525600", "min.insync.replicas": "1"}, "ok"),
        ({"offsets.retention.minutes": "1440"}, "warning"),
        ({}, "skipped"),
    ],
)
def test_a_brokers_own_settings(configs: dict[str, str], verdict: str) -> None:
    """I expect offsets that are forgotten before the messages are to be said."""
    assert _verdicts(broker.judged(configs, topic_days=7.0)) == [verdict]


@pytest.mark.parametrize(
    ("apis", "release"),
    [
        ({1: (4, 17), 60: (0, 2)}, "4.0 or newer"),
        ({1: (0, 12), 60: (0, 0)}, "2.8 or newer"),
        ({1: (0, 11)}, "older than 2.8"),
    ],
)
def test_which_kafka_it_is(apis: dict[int, tuple[int, int]], release: str) -> None:
    """I expect what the requests that it takes tell."""
    assert broker.release(apis) == release


@pytest.mark.parametrize(
    ("kafka", "verdicts"),
    [
        (Kafka("127.0.0.1:9092"), []),
        (Kafka("localhost:9092,[::1]:9092"), []),
        (Kafka("kafka.example:9092"), ["warning"]),
        (Kafka("kafka.example:9092", "SASL_PLAINTEXT", "PLAIN", "anna"), ["warning"]),
        (Kafka("kafka.example:9092", "SASL_SSL", "PLAIN", "anna"), []),
    ],
)
def test_what_can_be_read_on_the_way(kafka: Kafka, verdicts: list[str]) -> None:
    """I expect a warning where something unencrypted leaves this machine."""
    assert _verdicts(broker._in_the_clear(kafka)) == verdicts


@pytest.mark.parametrize(
    ("kind", "verdicts"),
    [("ext4", []), ("", []), ("nfs4", ["problem"]), ("fuse.sshfs", ["problem"]), ("9p", ["problem"])],
)
def test_a_file_of_a_network(kind: str, verdicts: list[str]) -> None:
    """I expect SQLite not to be trusted to file systems whose locks do not hold."""
    assert _verdicts(store.judged_disk(Path("/srv/streamapp.db"), kind)) == verdicts


def test_the_file_system_is_that_of_the_deepest_mount(tmp_path: Path) -> None:
    """I expect a mount within another to count, and a folder of a similar name not to."""
    mounts = [("/", "ext4"), (str(tmp_path), "nfs4"), (f"{tmp_path}/st", "tmpfs")]
    assert store.filesystem(tmp_path / "store" / "a.db", mounts) == "nfs4"


@pytest.mark.parametrize(
    ("room", "verdict"),
    [
        (disk.Room(5000 * MiB, 10**6), "ok"),
        (disk.Room(5000 * MiB, None), "ok"),
        (disk.Room(900 * MiB, 10**6), "warning"),
        (disk.Room(200 * MiB, 10**6), "problem"),
        (disk.Room(5000 * MiB, 12), "problem"),
    ],
)
def test_a_disk(room: disk.Room, verdict: str) -> None:
    """I expect a warning some time before new work is refused."""
    assert disk.judged(Path("/srv"), ["store"], room, least_mb=256).verdict == verdict


def test_a_disk_without_a_mark() -> None:
    """I expect a full one to be a problem also where nothing is refused because of it."""
    assert disk.judged(Path("/srv"), ["store"], disk.Room(0, None), least_mb=0).verdict == "problem"
    assert disk.judged(Path("/srv"), ["store"], disk.Room(MiB, None), least_mb=0).verdict == "ok"


@pytest.mark.parametrize(("ahead_s", "verdict"), [(0.2, "ok"), (-4.0, "ok"), (60.0, "warning"), (-60.0, "warning")])
def test_a_clock(ahead_s: float, verdict: str) -> None:
    """I expect more than some seconds to be said, and in which direction."""
    found = clock.judged("the store", ahead_s)
    assert found.verdict == verdict
    assert ("behind" in found.said) is (ahead_s == -60.0)


@pytest.mark.parametrize(
    ("values", "any_keys", "verdict"),
    [
        ({}, False, "ok"),
        ({}, True, "ok"),
        ({"keys": "required"}, False, "warning"),
        ({"web_host": "0.0.0.0"}, True, "ok"),
        ({"web_host": "0.0.0.0"}, False, "problem"),
        ({"web_host": "0.0.0.0", "keys": "off-and-anyone-may-use-this"}, True, "warning"),
        ({"keys": "off"}, False, "ok"),
    ],
)
def test_keys(values: dict[str, str], any_keys: bool, verdict: str) -> None:
    """I expect the start that would be refused, and what is open to all."""
    assert keys.judged(_settings(**values), any_keys=any_keys).verdict == verdict


def test_keys_that_nobody_can_use() -> None:
    """I expect keys that were all revoked or have expired to be a problem: they are asked for, and nobody has one."""
    found = keys.judged(_settings(), any_keys=True, usable=False)
    assert (found.verdict, "revoked or has expired" in found.said) == ("problem", True)


@pytest.mark.parametrize(
    ("says", "verdicts"),
    [
        (Readiness(status="ready"), ["ok"]),
        (Readiness(status="ready", detail="No new work: the disk is full"), ["warning"]),
        (Readiness(status="ready", warning="model worker 1 ended 3 times"), ["ok", "warning"]),
        (Readiness(status="ready", detail="No new work", warning="model worker 1 ended 3 times"), ["warning"] * 2),
    ],
)
def test_a_worker_that_is_ready(says: Readiness, verdicts: list[str]) -> None:
    """I expect what it says beside that, and what to do, also where a model worker lives and another keeps ending."""
    found = api._ready("http://worker", httpx.Response(200, json=says.model_dump()))
    assert _verdicts(found) == verdicts
    assert all(each.advice for each in found if each.verdict == "warning")
    assert says.warning in found[-1].said


def test_packages() -> None:
    """I expect one that lacks, one that is too old and one that is another, by name; the rest in silence."""
    wanted = ["a", "b>=2", "c==1.0", "d[binary]>=3", "e>=0.15.3", "f>=1.9"]
    there = {"b": "1.9", "c": "1.1", "d": "3.1", "e": "0.15.3", "f": "1.10+cpu"}
    found = list(versions.judged(wanted, there.get))
    assert _verdicts(found) == ["problem"] * 3
    assert [each.said.split(" ")[2] for each in found] == ["a", "b", "c"]


def test_variables() -> None:
    """I expect names and no values: some are secrets."""
    environ = {"STREAMAPP_API_KEY": "secret", "STREAMAPP_SERVICE_HOST": "10.0.0.1", "HOME": "/root"}
    first, second = configuration.judged(environ)
    assert "STREAMAPP_API_KEY" in first.said
    assert "STREAMAPP_SERVICE_HOST" in second.said
    assert "secret" not in f"{first} {second}"


def test_keys_of_a_store_without_tables(tmp_path: Path) -> None:
    """I expect a store that no worker has migrated to have no keys, and nothing to be called a fault of the check."""
    file = tmp_path / "streamapp.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("create table others (id)")
    ground = Ground(_settings(home=tmp_path, database_url=f"sqlite:///{file}", keys="required"), 10.0)
    (found,) = asyncio.run(keys.check_keys(ground))
    assert found.said == "Keys are required, and there are none."
