"""Requests made up from the API's own description meet the real worker, which answers as the description says."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamapp.intake.fields import QUERY
from streamapp.testing.deployment import Deployment
from streamapp.testing.keys import make_key

HERE = Path(__file__).parent
EXAMPLES = 15
# DELETE cancels a job, and what became of it stays to be read; and another call of the same story may have deleted it
LEFT_OUT = "use_after_free,ensure_resource_availability"
ENDLESS = "(events|stream)$"  # streams have tests of their own


@pytest.fixture(scope="module")
def deployment(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker whose tasks need no model."""
    settings = {"STREAMAPP_ONLY_TASKS": "echo", "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}
    with Deployment(broker, tmp_path_factory.mktemp("openapi"), settings) as running:
        yield running


def test_the_document_is_there(deployment: Deployment) -> None:
    """OpenAPI 3.1, with every call of the API, and none that answers by `default`."""
    document = deployment.http.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    calls = [call for methods in document["paths"].values() for call in methods.values()]
    assert len(calls) > 20
    assert len({call["operationId"] for call in calls}) == len(calls)
    assert not [call["operationId"] for call in calls if "default" in call["responses"]]


@pytest.mark.parametrize(("path", "method"), [("/v1/jobs", "post"), ("/v1/jobs/{job_id}", "put")])
def test_a_document_by_itself_is_described(deployment: Deployment, path: str, method: str) -> None:
    """As a body of bytes, with its fields in the query; and a client that follows that gets its job."""
    call = deployment.http.get("/openapi.json").json()["paths"][path][method]

    assert "application/octet-stream" in call["requestBody"]["content"]
    there = {each["name"]: each["required"] for each in call["parameters"] if each["in"] == "query"}
    assert there == dict.fromkeys(QUERY, False)
    sent = deployment.http.request(
        method,
        path.replace("{job_id}", str(uuid.uuid4())),
        params={"task": "echo", "params": '{"chunk": 3}', "priority": "1", "name": "a"},
        content=b"A line.",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert (sent.status_code, sent.json()["name"]) == (202, "a")


def test_the_page_needs_no_network(deployment: Deployment) -> None:
    """It names every call, and loads nothing from elsewhere."""
    page = deployment.http.get("/docs")

    assert page.status_code == 200
    assert "POST /v1/jobs" in page.text
    assert "https://" not in page.text.replace("https://www.w3.org", "")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_answer_is_described(deployment: Deployment) -> None:
    """All of schemathesis' checks, links between calls included: no 5xx, no status or body that is not described."""
    key = make_key(deployment, scopes=("submit", "read", "admin"))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    options = ["--checks", "all", "--exclude-checks", LEFT_OUT, "--max-examples", str(EXAMPLES), "--seed", "1"]
    options += ["--exclude-path-regex", ENDLESS]
    phases = ["--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure", "--no-color"]
    ended = subprocess.run(
        [*command, "run", f"{deployment.url}/openapi.json", "-H", f"Authorization: Bearer {key}", *options, *phases],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert deployment.http.get("/healthz").status_code == 200
