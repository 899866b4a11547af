"""A worker that asks for no key, as a browser on the same machine meets it on behalf of somebody else's page."""

from __future__ import annotations

import pytest

from streamapp.testing.deployment import Deployment

JOB = {"task": "echo", "text": "A line."}
REBOUND = "rebound.example"
EVIL = "https://evil.example"


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/", "/docs", "/openapi.json", "/metrics", "/kafka/pushToConsumers", "/no"]
)
def test_another_name_is_refused(deployment: Deployment, path: str) -> None:
    """DNS rebinding: 421 that says what to ask for, also where it is a page that would be shown."""
    for host in (REBOUND, f"{REBOUND}:{deployment.port}", "127.0.0.1.nip.io", "localhost.evil.example", ""):
        answer = deployment.http.get(path, headers={"Host": host, "Accept": "application/json"})
        assert answer.status_code == 421, (host, answer.text)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert deployment.url in answer.json()["detail"]
        assert [error["field"] for error in answer.json()["errors"]] == ["Host"]


def test_its_own_names_hold(deployment: Deployment) -> None:
    """However this machine is called, with a port or without."""
    for host in (
        "localhost",
        f"localhost:{deployment.port}",
        "127.0.0.1",
        "127.8.8.8:1",
        "[::1]:80",
        "a.localhost",
        "LOCALHOST.",
    ):
        assert deployment.http.get("/v1/tasks", headers={"Host": host}).status_code == 200, host


def test_probes_and_assets_answer_to_any_name(deployment: Deployment) -> None:
    """They tell nothing, and who probes may call the machine as it likes."""
    for path in ("/healthz", "/readyz", "/assets/style.css"):
        assert deployment.http.get(path, headers={"Host": REBOUND}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_another_page_sends_nothing(deployment: Deployment, headers: dict[str, str]) -> None:
    """403 that says what would be right, and no job; a form needs no preflight, and so none protects against it."""
    before = deployment.http.get("/v1/jobs?limit=1").json()
    plain = {**headers, "Content-Type": "text/plain"}
    for path in ("/v1/jobs?task=echo", "/kafka/pushToConsumers", "/ui/jobs", "/v1/jobs/cancel"):
        answer = deployment.http.post(path, content=b'{"task": "echo", "text": "Evil."}', headers=plain)
        assert answer.status_code == 403, answer.text
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert "STREAMAPP_CORS_ORIGINS" in answer.json()["detail"]
    assert deployment.http.get("/v1/jobs?limit=1").json() == before


def test_another_page_reads_nothing(deployment: Deployment) -> None:
    """A script elsewhere gets no list of jobs, though the setting says that any origin may call."""
    assert deployment.http.get("/v1/jobs", headers={"Origin": EVIL}).status_code == 403


def test_a_link_from_elsewhere_opens(deployment: Deployment) -> None:
    """From an e-mail in a browser: that is another site, and reads nothing."""
    shown = deployment.http.get("/", headers={"Sec-Fetch-Site": "cross-site", "Accept": "text/html"})
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_its_own_pages_and_named_origins_send(deployment: Deployment) -> None:
    """A form of ours, a script of an origin that the setting names, and programs, which say nothing of it."""
    for headers in (
        {"Origin": deployment.url},
        {"Origin": "https://example.org"},
        {"Sec-Fetch-Site": "same-origin"},
        {},
    ):
        assert deployment.http.post("/v1/jobs", json=JOB, headers=headers).status_code == 202


def test_people_get_a_page(deployment: Deployment) -> None:
    """A browser at the wrong name shows what is right."""
    answer = deployment.http.get("/", headers={"Host": REBOUND, "Accept": "text/html"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (421, "text/html; charset=utf-8")
    assert deployment.url in answer.text
