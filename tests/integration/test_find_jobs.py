"""Finding jobs over HTTP and by the command: did Anna get her mail?"""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import Any

import pytest

from streamapp.testing.deployment import Deployment, until

TEXT = {"task": "echo", "text": "A line."}


def found(deployment: Deployment, **query: Any) -> list[dict[str, Any]]:
    """The jobs that match."""
    answer = deployment.http.get("/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_did_anna_get_her_mail(deployment: Deployment) -> None:
    """By her address: her job, and its e-mail as sent; by the state of the e-mail too; and the command says it."""
    anna = f"anna.{uuid.uuid4().hex[:8]}@localhost"
    job = deployment.submit({**TEXT, "email": anna})
    until(lambda: found(deployment, email=anna, delivery="sent"), 90, "her mail")

    (mine,) = found(deployment, email=anna, status="succeeded,failed")
    assert (mine["id"], mine["email"]) == (job, anna)
    (mail,) = [each for each in mine["deliveries"] if each["kind"] == "email"]
    assert (mail["recipient"], mail["state"]) == (anna, "sent")
    assert found(deployment, email=anna, delivery="dead") == []

    command = [sys.executable, "-m", "streamapp.cli", "jobs", "--email", anna, "--after", "2000-01-01"]
    said = subprocess.run([*command, "--url", deployment.url], capture_output=True, text=True, timeout=60, check=True)
    assert job in said.stdout
    assert f"e-mail to {anna} sent" in said.stdout


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=failed", "state"), ("status=done", "status"), ("email=a%40b.org&email=c%40d.org", "email")],
)
def test_a_filter_that_is_none(deployment: Deployment, query: str, field: str) -> None:
    """422 that names it."""
    answer = deployment.http.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
