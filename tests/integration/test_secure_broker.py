"""A broker that asks who is there: a whole job over each kind of login, and one sentence for who is not let in."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamapp.elsewhere import at_once
from streamapp.embedded.ports import free_port
from streamapp.intake.producing import Producing
from streamapp.settings import Settings
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.reservations import reserve
from streamapp.store.schema import jobs
from streamapp.testing.deployment import Deployment
from streamapp.topics import provision
from tests.integration.secure import PASSWORD, SecureBroker, certificate, secure_broker
from tests.unit.store.rows import new_job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ECHO = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}
WORKER = [sys.executable, "-m", "faust", "-A", "streamapp", "worker", "-l", "debug"]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """One such broker for the module."""
    with secure_broker(tmp_path_factory.mktemp("secure")) as broker:
        yield broker


@pytest.fixture
def ways(secure: SecureBroker, tmp_path: Path) -> Mapping[str, Mapping[str, str]]:
    """Every way in that works, as settings."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    from_file = {"STREAMAPP_BROKER_PASSWORD": "", "STREAMAPP_BROKER_PASSWORD_FILE": str(tmp_path / "password")}
    return {
        "SCRAM-SHA-512": secure.with_login("SCRAM-SHA-512"),
        "SCRAM-SHA-256, password from a file": secure.with_login("SCRAM-SHA-256", **from_file),
        "PLAIN": secure.with_login("PLAIN"),
        "certificate": secure.with_certificate(),
    }


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "SCRAM-SHA-256, password from a file", "PLAIN", "certificate"])
def test_a_job_from_the_request_to_the_e_mail(way: str, ways: Mapping[str, Mapping[str, str]], tmp_path: Path) -> None:
    """I expect the mail, lag that is known (the admin's and the offsets' clients), and no password in any log."""
    settings = {**ECHO, **ways[way], "STREAMAPP_LOG_LEVEL": "debug"}
    with Deployment(ways[way]["STREAMAPP_BROKER"], tmp_path, settings) as deployment:
        job = deployment.submit({"task": "echo", "text": "Hello.", "email": "anna@example.org"})
        assert deployment.finished(job)["status"] == "succeeded"
        [mail] = deployment.mails(1)
        assert mail["To"] == "anna@example.org"
        agents = deployment.http.get("/v1/agents").json()
        assert PASSWORD not in str(agents)
        ran = subprocess.run(
            [sys.executable, "-m", "streamapp.cli", "topics"],
            env=deployment.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "missing" not in ran.stdout
        deployment.stop()
        log = deployment.log.read_text(errors="replace")
    assert "is not known" not in log
    assert "can't look" not in log
    assert "can't be seen" not in log
    assert "are not heard of" not in log
    assert PASSWORD not in log + ran.stdout + ran.stderr


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "SCRAM-SHA-256, password from a file", "PLAIN", "certificate"])
def test_a_flask_site_publishes_there(way: str, ways: Mapping[str, Mapping[str, str]], tmp_path: Path) -> None:
    """I expect librdkafka to be let in as the other clients are: the job of a site has its place on the topic."""
    names: dict[str, Any] = {name.removeprefix("STREAMAPP_").lower(): value for name, value in ways[way].items()}
    settings = Settings(**names, topic_prefix=f"site{uuid.uuid4().hex[:8]}.", topic_partitions=1)
    asyncio.run(provision(settings, ["echo"]))
    with closing(Database(f"sqlite:///{tmp_path / 'streamapp.db'}")) as database:
        migrate(database)
        row = database.write_sync(reserve, new_job()).row
        producing = Producing(database, settings)
        at_once(producing.accepted([row]))
        producing.close(30.0)
        place = select(jobs.c.sent_partition, jobs.c.sent_offset).where(jobs.c.published_at.is_not(None))
        assert database.read_sync(lambda connection: connection.execute(place).all()) == [(0, 0)]


def _ended(settings: Mapping[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What becomes of a worker with these settings, and of no others of ours."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    ours = {"STREAMAPP_HOME": str(tmp_path / "home"), "STREAMAPP_SMTP_URL": "smtp://127.0.0.1:1", **ECHO, **settings}
    return subprocess.run(
        WORKER, env={**others, **ours}, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )


def _sentence(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused worker says, in an output without a traceback or a password."""
    said = ended.stdout + ended.stderr
    assert "Traceback" not in said
    assert PASSWORD not in said
    [line] = [line for line in said.splitlines() if line.startswith("streamapp: ")]
    return line


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password(secure: SecureBroker, tmp_path: Path, mechanism: str) -> None:
    """I expect the exit code of a wrong configuration, and the variables by name."""
    ended = _ended(secure.with_login(mechanism, STREAMAPP_BROKER_PASSWORD="wrong-password-77"), tmp_path)
    assert ended.returncode == 78, ended.stderr[-2000:]
    assert "check STREAMAPP_BROKER_USERNAME and STREAMAPP_BROKER_PASSWORD" in _sentence(ended)
    assert "wrong-password-77" not in ended.stdout + ended.stderr


def test_an_authority_that_did_not_sign(secure: SecureBroker, tmp_path: Path) -> None:
    """I expect the reason, and the variable that names another."""
    certificate(tmp_path, "other")
    other = {"STREAMAPP_BROKER_CA_FILE": str(tmp_path / "other.pem")}
    ended = _ended(secure.with_login("SCRAM-SHA-512", **other), tmp_path)
    assert ended.returncode == 78, ended.stderr[-2000:]
    assert "is not trusted" in _sentence(ended)
    assert "STREAMAPP_BROKER_CA_FILE" in _sentence(ended)


def test_a_name_that_is_not_in_the_certificate(secure: SecureBroker, tmp_path: Path) -> None:
    """I expect the same: a certificate of that authority for somebody else is no better."""
    named = {"STREAMAPP_BROKER": secure.login.replace("127.0.0.1", "localhost")}
    ended = _ended(secure.with_login("SCRAM-SHA-512", **named), tmp_path)
    assert ended.returncode == 78, ended.stderr[-2000:]
    assert "Hostname mismatch" in _sentence(ended)


@pytest.mark.parametrize("shown", ["none", "a stranger's"])
def test_a_certificate_that_the_broker_refuses(secure: SecureBroker, tmp_path: Path, shown: str) -> None:
    """I expect the variables of the client's own certificate, with none at all and with a stranger's."""
    certificate(tmp_path, "stranger")
    settings = {**secure.with_certificate(), **{f"STREAMAPP_BROKER_{part}_FILE": "" for part in ("CERT", "KEY")}}
    if shown != "none":
        settings["STREAMAPP_BROKER_CERT_FILE"] = str(tmp_path / "stranger.pem")
        settings["STREAMAPP_BROKER_KEY_FILE"] = str(tmp_path / "stranger.key")
    ended = _ended(settings, tmp_path)
    assert ended.returncode == 78, ended.stderr[-2000:]
    assert "refuses this client's certificate" in _sentence(ended)


def test_a_listener_of_another_kind(secure: SecureBroker, tmp_path: Path) -> None:
    """I expect the variable that says what is spoken, where plain text meets TLS."""
    ended = _ended({"STREAMAPP_BROKER": secure.login}, tmp_path)
    assert ended.returncode == 69, ended.stderr[-2000:]
    assert "STREAMAPP_BROKER_SECURITY=PLAINTEXT" in _sentence(ended)


def test_doctor_says_the_same(secure: SecureBroker, tmp_path: Path) -> None:
    """I expect the login to be found in order with the right password, and with a wrong one what to check."""
    ours = {"STREAMAPP_HOME": str(tmp_path), **ECHO, **secure.with_login("SCRAM-SHA-512")}
    verdicts = {}
    for password in (PASSWORD, "wrong-password-77"):
        ran = subprocess.run(
            [sys.executable, "-m", "streamapp.cli", "doctor", "--json"],
            env={**os.environ, **ours, "STREAMAPP_BROKER_PASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 1  # nothing else is there
        assert password not in ran.stdout + ran.stderr
        [verdicts[password]] = [
            each["findings"] for each in json.loads(ran.stdout)["checks"] if each["name"] == "broker"
        ]
    assert {each["verdict"] for each in verdicts[PASSWORD]} == {"ok"}
    assert "by SASL_SSL as 'streamapp' by SCRAM-SHA-512" in verdicts[PASSWORD][0]["said"]
    [wrong] = verdicts["wrong-password-77"]
    assert wrong["verdict"] == "problem"
    assert "STREAMAPP_BROKER_PASSWORD" in wrong["said"]


@pytest.mark.parametrize("command", [["topics"], ["rewind", "--since", "2026-01-01"], ["up"]])
def test_commands_say_it_too(secure: SecureBroker, tmp_path: Path, command: list[str]) -> None:
    """I expect the same sentence and exit code of each command that speaks to the broker, with a wrong password."""
    ours = secure.with_login("SCRAM-SHA-512", STREAMAPP_BROKER_PASSWORD="wrong-password-77")
    ended = subprocess.run(
        [sys.executable, "-m", "streamapp.cli", *command],
        env={**os.environ, **ECHO, **ours, "STREAMAPP_HOME": str(tmp_path), "STREAMAPP_WEB_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 78, ended.stderr[-2000:]
    assert "check STREAMAPP_BROKER_USERNAME and STREAMAPP_BROKER_PASSWORD" in _sentence(ended)
    assert "wrong-password-77" not in ended.stdout + ended.stderr
