"""The compose file and the image: pinned, checked for health, closed to the outside, and set by names that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamapp.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
VARIABLES = {f"STREAMAPP_{name.upper()}" for name in Settings.model_fields}
OURS = ("jobs", "model")


def test_the_services_are_there() -> None:
    """Kafka, a mail server, the store that is a choice, and both workers."""
    assert set(SERVICES) == {"kafka", "mailpit", "postgres", "jobs", "model"}
    assert SERVICES["postgres"]["profiles"] == ["postgres"]
    assert not [name for name in SERVICES if name != "postgres" and "profiles" in SERVICES[name]]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """To a version of three numbers, or two where there are no more: never `latest`, never a moving tag."""
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?", SERVICES[name]["image"])


def test_the_base_image_is_pinned() -> None:
    """To a patch version of Python that the project supports."""
    assert re.findall(r"(?m)^FROM (.+)$", DOCKERFILE) == ["python:3.12.13-slim"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_a_health_check(name: str) -> None:
    """With a command, and with time to start."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_needed_is_waited_for_until_it_is_well(name: str) -> None:
    """Every dependency is a service, and is waited for by its health."""
    needed = SERVICES[name].get("depends_on", {})
    assert set(needed) <= set(SERVICES)
    assert all(how["condition"] == "service_healthy" for how in needed.values())
    assert all(
        SERVICES[other].get("profiles") is None or not how.get("required", True) for other, how in needed.items()
    )


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_this_machine_alone(name: str) -> None:
    """Nobody else may reach a service that knows no users."""
    assert all(str(port).startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_are_declared(name: str) -> None:
    """What is mounted is a named volume of this file."""
    assert {volume.split(":")[0] for volume in SERVICES[name].get("volumes", ())} <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_settings_have_names_that_exist(name: str) -> None:
    """A variable that no setting reads would be ignored without a word."""
    assert set(SERVICES[name]["environment"]) <= VARIABLES


def test_settings_in_the_image_have_names_that_exist() -> None:
    """The same for the Dockerfile."""
    named = set(re.findall(r"\bSTREAMAPP_[A-Z_]+", DOCKERFILE))
    assert named
    assert named <= VARIABLES


@pytest.mark.parametrize("name", OURS)
def test_settings_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defaults of the file filled in, and with PostgreSQL."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)))
    assert Settings().broker == "kafka:19092"
    monkeypatch.setenv("STREAMAPP_DATABASE_URL", "postgresql://streamapp:streamapp@postgres/streamapp")
    assert Settings().store_url.startswith("postgresql+psycopg://")


def test_who_may_is_said() -> None:
    """The worker listens on every address of its container, and would not start otherwise; ports are this host's."""
    environment = SERVICES["jobs"]["environment"]
    assert environment["STREAMAPP_WEB_HOST"] == "0.0.0.0"
    assert environment["STREAMAPP_KEYS"] == "${STREAMAPP_KEYS:-off-and-anyone-may-use-this}"
    for name in OURS:
        assert SERVICES[name]["environment"]["STREAMAPP_API_KEY"] == "${STREAMAPP_API_KEY:-}"


def test_the_workers_share_what_they_must() -> None:
    """One image, one broker, and one place for documents, which is mounted in both."""
    jobs, model = (SERVICES[name] for name in OURS)
    assert jobs["image"] == model["image"]
    for variable in ("STREAMAPP_BROKER", "STREAMAPP_BLOB_URL"):
        assert jobs["environment"][variable] == model["environment"][variable]
    folder = jobs["environment"]["STREAMAPP_BLOB_URL"].removeprefix("file://")
    assert f"documents:{folder}" in jobs["volumes"]
    assert f"documents:{folder}" in model["volumes"]
    assert f"install -d -o streamapp -g streamapp /var/lib/streamapp {folder}" in DOCKERFILE


def test_the_jobs_worker_starts_no_model_of_its_own() -> None:
    """The model worker is a service, which can be scaled."""
    assert SERVICES["jobs"]["environment"]["STREAMAPP_MODEL_WORKERS"] == 0


def test_the_image_runs_as_an_ordinary_user_and_installs_by_hash() -> None:
    """The user is set after the last step that needs root, and what installs is what `make run` uses."""
    steps = re.findall(r"(?m)^(USER|RUN|COPY|CMD) (.+)$", DOCKERFILE)
    user = steps.index(("USER", "streamapp"))
    assert {kind for kind, _ in steps[user + 1 :]} == {"CMD"}
    assert "python tools/environment.py run" in DOCKERFILE


def test_the_build_context_has_what_is_copied() -> None:
    """.dockerignore lets in what the Dockerfile copies, and nothing by itself."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines
    for copied in re.findall(r"(?m)^COPY (.+) \S+$", DOCKERFILE):
        for source in copied.split():
            assert any(source == path or source.startswith(f"{path}/") for path in allowed), source
