"""`streamapp doctor` beside a real deployment: all is well, then one thing after the other is not; nothing changes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streamapp.embedded.ports import free_port
from streamapp.testing.broker import node, serving
from streamapp.testing.deployment import Deployment
from streamapp.testing.keys import make_key
from tests.integration.postgresql import binaries, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ECHO = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}


@pytest.fixture(scope="module")
def healthy(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment in which all is well, after its first job."""
    with Deployment(broker, tmp_path_factory.mktemp("healthy"), ECHO) as deployment:
        deployment.finished(deployment.submit({"task": "echo", "text": "Hello."}))
        yield deployment


def _run(environment: Mapping[str, str], *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    ours = {f"STREAMAPP_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "streamapp.cli", "doctor", *arguments]
    ran = subprocess.run(command, env={**environment, **ours}, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran


def doctor(environment: Mapping[str, str], *arguments: str, **settings: str) -> tuple[int, dict[str, list[Any]]]:
    """Its exit code and its findings by check, with these settings in place of the deployment's."""
    ran = _run(environment, "--json", *arguments, **settings)
    body = json.loads(ran.stdout)
    assert body["ok"] is (ran.returncode == 0)
    return ran.returncode, {check["name"]: check["findings"] for check in body["checks"]}


def _but_ok(found: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    """What is not as it should be: the verdicts by check, but for the models, which are not loaded."""
    others = {
        name: [each["verdict"] for each in findings if each["verdict"] != "ok"]
        for name, findings in found.items()
        if name != "models"
    }
    return {name: verdicts for name, verdicts in others.items() if verdicts}


def _problem(findings: list[Any]) -> str:
    """The one problem among them, with what to do."""
    [found] = [each for each in findings if each["verdict"] == "problem"]
    return f"{found['said']} {found['advice']}"


def test_all_is_well(healthy: Deployment) -> None:
    """I expect no warning, no problem, nothing that was not looked at but the models, and the exit code 0."""
    code, found = doctor(healthy.environment)
    assert (code, _but_ok(found)) == (0, {})
    assert [each["verdict"] for each in found["models"]] == ["ok", "ok", "skipped"]
    assert "1 jobs workers are in the group" in found["groups"][0]["said"]
    assert "beats" not in found["groups"][0]["said"], "one that waits for the next commit is not behind"


def test_the_table_for_people(healthy: Deployment) -> None:
    """I expect each check in it, and what to do on a line of its own."""
    ran = _run(healthy.environment, smtp_url=f"smtp://127.0.0.1:{free_port()}")
    assert ran.returncode == 1
    assert {"broker", "topics", "store", "smtp", "clock"} <= {line.split(" ")[0] for line in ran.stdout.splitlines()}
    assert "→ Start it, or correct STREAMAPP_SMTP_URL" in " ".join(ran.stdout.split())
    assert "1 problem" in ran.stdout


def test_models_load(healthy: Deployment) -> None:
    """I expect them loaded in a process of its own, when I ask for it."""
    code, found = doctor(healthy.environment, "--load")
    assert code == 0
    assert "loads on cpu" in found["models"][-1]["said"]


def test_the_broker_is_away(healthy: Deployment) -> None:
    """I expect it named with what to do, and what hangs on it skipped, not told as more faults."""
    code, found = doctor(healthy.environment, broker=f"127.0.0.1:{free_port()}")
    assert (code, _but_ok(found)) == (1, {"broker": ["problem"], "topics": ["skipped"], "groups": ["skipped"]})
    assert "start it or correct STREAMAPP_BROKER" in _problem(found["broker"])


async def test_what_answers_is_no_broker(healthy: Deployment) -> None:
    """I expect an end in the time that was given, of a broker and of a mail server that accept and say nothing."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        code, found = await asyncio.to_thread(
            doctor, healthy.environment, "--timeout", "3", broker=address, smtp_url=f"smtp://{address}"
        )
    assert code == 1
    assert set(_but_ok(found)) == {"broker", "topics", "groups", "smtp"}


def test_a_broker_that_names_a_wrong_address(healthy: Deployment, tmp_path: Path) -> None:
    """I expect it told from a broker that is away: what it advertises leads nowhere, and that is to be corrected."""
    plain = node(tmp_path / "kafka")
    wrong = dataclasses.replace(plain, more={"advertised.listeners": f"PLAINTEXT://127.0.0.1:{free_port()}"})
    with serving(wrong, tmp_path / "kafka"):
        code, found = doctor(healthy.environment, broker=plain.address)
    assert (code, _but_ok(found)) == (1, {"broker": ["problem"], "topics": ["skipped"], "groups": ["skipped"]})
    assert "advertised.listeners" in _problem(found["broker"])


async def test_a_broker_that_makes_what_it_is_asked_for(healthy: Deployment, tmp_path: Path) -> None:
    """I expect a look to make no topic there, and the command that does to make them as the settings say."""
    plain = node(tmp_path / "kafka")
    eager = dataclasses.replace(plain, more={"auto.create.topics.enable": "true"})
    environment = {**healthy.environment, "STREAMAPP_BROKER": plain.address, "STREAMAPP_TOPIC_PARTITIONS": "3"}
    with serving(eager, tmp_path / "kafka"):
        _, found = await asyncio.to_thread(doctor, environment)
        assert "Topics are missing" in _problem(found["topics"])
        assert await _topics(plain.address) == set()
        command = [sys.executable, "-m", "streamapp.cli", "topics", "--create"]
        await asyncio.to_thread(subprocess.run, command, env=environment, check=True, stdout=subprocess.DEVNULL)
        _, found = await asyncio.to_thread(doctor, environment)
        assert [each["verdict"] for each in found["topics"]] == ["ok"]
        assert "__consumer_offsets" not in await _topics(plain.address)


async def _topics(broker: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def test_topics_are_missing(healthy: Deployment) -> None:
    """I expect them named, with the command, and none made by the look."""
    before = await _topics(healthy.environment["STREAMAPP_BROKER"])
    code, found = await asyncio.to_thread(doctor, healthy.environment, topic_prefix="elsewhere.")
    assert code == 1
    assert "elsewhere.inference" in _problem(found["topics"])
    assert "streamapp topics --create" in _problem(found["topics"])
    assert await _topics(healthy.environment["STREAMAPP_BROKER"]) == before


def test_topics_lack_a_partition(healthy: Deployment) -> None:
    """I expect each that is too narrow, and both ways out."""
    code, found = doctor(healthy.environment, topic_partitions="9")
    wrong = [each for each in found["topics"] if each["verdict"] == "problem"]
    assert code == 1
    assert len(wrong) == 7  # two have one partition, whatever is asked for
    assert "has 8 partitions, and STREAMAPP_TOPIC_PARTITIONS asks for 9" in wrong[0]["said"]
    assert "--partitions 9" in wrong[0]["advice"]


def test_topics_that_forget_too_early(healthy: Deployment) -> None:
    """I expect what is accepted to be in danger where topics keep it for less time than the settings say."""
    code, found = doctor(healthy.environment, topic_days="14")
    assert code == 1
    assert any("may be deleted unread" in each["said"] for each in found["topics"] if each["verdict"] == "problem")


def test_nobody_is_in_the_group(healthy: Deployment) -> None:
    """I expect both kinds of workers to be missed, under another group."""
    code, found = doctor(healthy.environment, group="nobody")
    assert (code, _but_ok(found)) == (1, {"groups": ["problem", "problem"]})


def test_a_store_that_was_not_migrated(healthy: Deployment, tmp_path: Path) -> None:
    """I expect its revision and this version's, of a copy that is set back; then of one without tables."""
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(healthy.home / "streamapp.db")) as store, closing(sqlite3.connect(old)) as copy:
        store.backup(copy)
        copy.execute("UPDATE alembic_version SET version_num = '0003'")
        copy.commit()
    code, found = doctor(healthy.environment, database_url=f"sqlite:///{old}")
    assert code == 1
    assert "is at revision 0003, and this version's is" in _problem(found["store"])
    empty = tmp_path / "empty.db"
    empty.touch()
    code, found = doctor(healthy.environment, database_url=f"sqlite:///{empty}")
    assert code == 1
    assert "has no tables" in _problem(found["store"])
    assert empty.stat().st_size == 0


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """The folder as it is and not to be written to: by a mount where we are root, whom no mode stops."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    for options in ("bind", "remount,bind,ro"):
        if subprocess.run(["mount", "-o", options, str(folder), str(folder)], check=False).returncode:
            pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_store_that_cannot_be_written_to(healthy: Deployment, tmp_path: Path) -> None:
    """I expect that, and all else of it to be seen all the same."""
    folder = tmp_path / "store"
    folder.mkdir()
    there, file = healthy.home / "streamapp.db", folder / "streamapp.db"
    with closing(sqlite3.connect(there)) as store, closing(sqlite3.connect(file)) as copy:
        store.backup(copy)
    with _read_only(folder):
        code, found = doctor(healthy.environment, database_url=f"sqlite:///{file}")
    assert code == 1
    assert "can't write to the store" in _problem(found["store"])
    assert any("is sound" in each["said"] for each in found["store"])


def test_a_store_that_is_damaged(healthy: Deployment, tmp_path: Path) -> None:
    """I expect it to be said of a file whose pages were overwritten, without a traceback."""
    damaged = tmp_path / "damaged.db"
    with closing(sqlite3.connect(healthy.home / "streamapp.db")) as store, closing(sqlite3.connect(damaged)) as copy:
        store.backup(copy)
    content = bytearray(damaged.read_bytes())
    content[8192:40960] = b"\xff" * (40960 - 8192)
    damaged.write_bytes(content)
    code, found = doctor(healthy.environment, database_url=f"sqlite:///{damaged}")
    assert code == 1
    assert "damaged" in _problem(found["store"])


def test_settings_that_cannot_be_read(healthy: Deployment) -> None:
    """I expect the variable, nothing else to be tried, and the versions all the same."""
    code, found = doctor(healthy.environment, web_port="abc")
    assert code == 1
    assert "STREAMAPP_WEB_PORT" in _problem(found["settings"])
    assert found["broker"][0]["verdict"] == "skipped"
    assert found["versions"][0]["verdict"] == "ok"


def test_open_to_others_without_keys(healthy: Deployment, tmp_path: Path) -> None:
    """I expect what the worker's own start would refuse, before it is started."""
    code, found = doctor(healthy.environment, home=str(tmp_path), web_host="192.0.2.1")
    assert code == 1
    assert "streamapp keys create" in _problem(found["keys"])


def test_everything_is_down_and_nothing_is_changed(broker: str, tmp_path: Path) -> None:
    """I expect it to work where nothing does, after a worker was killed and where none ever was; no file is touched."""
    with Deployment(broker, tmp_path, ECHO) as deployment:
        environment = {**deployment.environment, "STREAMAPP_BROKER": f"127.0.0.1:{free_port()}"}
        for worker in deployment.workers():
            worker.kill()
        assert deployment.process is not None
        deployment.process.wait(30)
        before = _files(deployment.home)
        assert any(name.endswith("-wal") for name in before)
        assert doctor(environment)[0] == 1
        assert _files(deployment.home) == before
    code, found = doctor(environment, home=str(tmp_path / "never"), smtp_url="")
    assert code == 1
    assert {"broker", "store", "smtp", "api"} <= set(_but_ok(found))
    assert not (tmp_path / "never").exists()


def test_after_a_stop_nothing_is_left_beside_the_store(broker: str, tmp_path: Path) -> None:
    """I expect no write-ahead log to be made where there was none, and none to be left."""
    with Deployment(broker, tmp_path, ECHO) as deployment:
        deployment.stop()
        with closing(sqlite3.connect(deployment.home / "streamapp.db")) as store:
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = _files(deployment.home)
        assert not any(name.endswith("-wal") for name in before)
        _, found = doctor(deployment.environment)
        assert {each["verdict"] for each in found["store"]} == {"ok"}
        assert _files(deployment.home) == before


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and when it was changed, but SQLite's shared memory: every reader notes itself there."""
    return {
        str(file.relative_to(folder)): (
            file.stat().st_size,
            0 if file.name.endswith("-shm") else file.stat().st_mtime_ns,
        )
        for file in sorted(folder.rglob("*"))
    }


def test_postgresql(healthy: Deployment) -> None:
    """I expect its tables to be missed, then all of it to be well, then that it takes no writes."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed")
    with server(programs) as url:
        ours = {"database_url": url, "blob_url": healthy.home.as_uri()}
        code, found = doctor(healthy.environment, **ours)
        assert code == 1
        assert "has no tables" in _problem(found["store"])
        key = subprocess.run(
            [sys.executable, "-m", "streamapp.cli", "keys", "list"],
            env={**healthy.environment, **{f"STREAMAPP_{name.upper()}": value for name, value in ours.items()}},
            check=True,
            capture_output=True,
        )
        assert key.returncode == 0
        _, found = doctor(healthy.environment, **ours)
        assert [each["verdict"] for each in found["store"]] == ["ok"]
        assert "The clock of the store agrees" in found["clock"][0]["said"]
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        code, found = doctor(healthy.environment, **ours)
        assert code == 1
        assert "can't write to the store" in _problem(found["store"])


def test_a_mailbox_of_another_kind(healthy: Deployment) -> None:
    """I expect the want of TLS to be said, where the settings ask for it and the server has none."""
    plain = healthy.environment["STREAMAPP_SMTP_URL"]
    for url in (plain.replace("smtp://", "smtps://"), f"{plain}?starttls=require"):
        code, found = doctor(healthy.environment, smtp_url=url)
        assert code == 1
        assert "STREAMAPP_SMTP_URL" in _problem(found["smtp"])
    mails = healthy.mails(0)
    assert doctor(healthy.environment)[1]["smtp"][0]["verdict"] == "ok"
    assert len(healthy.mails(0)) == len(mails)


def test_the_api_asks_for_a_key(healthy: Deployment) -> None:
    """I expect a warning that names the setting, and none once it is set."""
    environment = dict(healthy.environment)
    key = make_key(healthy)
    code, found = doctor(environment)
    assert (code, _but_ok(found)) == (0, {"api": ["warning"]})
    assert "STREAMAPP_API_KEY is not set" in found["api"][1]["said"]
    assert doctor(environment, api_key=key)[1]["api"][0]["verdict"] == "ok"
    assert "warning" not in _but_ok(doctor(environment, api_key=key)[1]).get("api", [])
