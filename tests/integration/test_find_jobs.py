"""Finding jobs over HTTP and by the command: did Anna get her mail?"""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from html import unescape
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


def test_the_page_finds_what_the_api_does(deployment: Deployment) -> None:
    """By status and task, as a form without a script sends them; on the next page too; and a wrong one is told."""
    jobs = [deployment.submit(TEXT) for _ in range(3)]
    for job in jobs:
        deployment.finished(job)

    def listed(path: str) -> tuple[list[str], str]:
        answer = deployment.http.get(path)
        assert answer.status_code == 200, answer.text
        older = re.search(r'<a href="([^"]+)">Older jobs', answer.text)
        return re.findall(r'data-job="([^"]+)"', answer.text), unescape(older[1]) if older else ""

    first, older = listed("/?status=succeeded&task=echo&limit=2")
    assert first == [each["id"] for each in found(deployment, status="succeeded", task="echo", limit=2)]
    second, _ = listed(older)
    assert second[0] == jobs[0]
    assert listed("/?status=expired&task=")[0] == [each["id"] for each in found(deployment, status="expired")]
    assert listed("/?status=&task=none")[0] == []
    answer = deployment.http.get("/?status=done", headers={"Accept": "text/html"})
    assert (answer.status_code, "<code>status</code>" in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=failed", "state"), ("status=done", "status"), ("email=a%40b.org&email=c%40d.org", "email")],
)
def test_a_filter_that_is_none(deployment: Deployment, query: str, field: str) -> None:
    """422 that names it."""
    answer = deployment.http.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
