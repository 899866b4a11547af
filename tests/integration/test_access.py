"""Who may, on the real worker: keys are asked for everywhere, do what their scopes say, and end when revoked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streamapp.store import keys
from streamapp.testing.deployment import Deployment, until
from streamapp.testing.keys import bearer, database_of, make_key

JOB = {"task": "echo", "text": "A line."}
NOBODYS = "3f2b8a54-6f4a-4347-88df-88630e4e5895"  # an id of no job
OPEN = ("/healthz", "/readyz", "/login", "/assets/style.css")

CALLS = [
    ("GET", "/"),
    ("GET", "/inbox"),
    ("GET", "/agents"),
    ("GET", f"/jobs/{NOBODYS}"),
    ("POST", "/ui/jobs"),
    ("POST", f"/ui/jobs/{NOBODYS}/cancel"),
    ("POST", "/ui/notifications/1/read"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("PUT", f"/v1/jobs/{NOBODYS}"),
    ("GET", f"/v1/jobs/{NOBODYS}"),
    ("HEAD", f"/v1/jobs/{NOBODYS}"),
    ("DELETE", f"/v1/jobs/{NOBODYS}"),
    ("GET", f"/v1/jobs/{NOBODYS}/plot"),
    ("GET", f"/v1/jobs/{NOBODYS}/attachments/1"),
    ("GET", "/v1/notifications"),
    ("POST", "/v1/notifications/1/read"),
    ("POST", "/v1/notifications/read"),
    ("GET", "/v1/tasks"),
    ("GET", "/v1/agents"),
    ("POST", "/kafka/pushToConsumers"),
    ("GET", "/metrics"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/dead-letters/1"),
    ("POST", "/v1/dead-letters/redrive"),
    ("POST", "/v1/dead-letters/1/discard"),
    ("GET", "/v1/deliveries/parked"),
    ("POST", "/v1/deliveries/x/sent"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/v1/jobs"),
]
FAUSTS = ("/table/", "/router/", "/graph", "/stats", "/assignment", "/performance/")


@pytest.fixture(scope="module")
def guarded(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker that asks for keys; `http` has one that may all."""
    settings = {"STREAMAPP_ONLY_TASKS": "echo", "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}
    settings["STREAMAPP_CORS_ORIGINS"] = "https://books.example.org"
    with Deployment(broker, tmp_path_factory.mktemp("guarded"), settings) as running:
        assert running.http.get("/v1/jobs").status_code == 200, "no key is needed while there is none"
        make_key(running)
        yield running


@pytest.fixture(scope="module")
def stranger(guarded: Deployment) -> Iterator[httpx.Client]:
    """Somebody without a key."""
    with httpx.Client(base_url=guarded.url, trust_env=False) as http:
        yield http


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_key(stranger: httpx.Client, method: str, path: str) -> None:
    """401 with a challenge (RFC 6750, 3), whatever is there, whatever it would say; the same for a key of nobody's."""
    for headers, error in (({}, ""), (bearer("streamapp_" + "a" * 12 + "_" + "a" * 43), "invalid_token")):
        answer = stranger.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert error in answer.headers["WWW-Authenticate"]
        assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", FAUSTS)
def test_fausts_own_pages_are_not_there(guarded: Deployment, stranger: httpx.Client, path: str) -> None:
    """401 without a key, and 404 with one that may all: none of them shows what runs here."""
    assert stranger.get(path).status_code == 401
    assert guarded.http.get(path).status_code == 404


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open(stranger: httpx.Client, path: str) -> None:
    """Probes, and what the login page needs."""
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(
    ("scope", "path", "method", "status"),
    [
        ("read", "/v1/jobs", "GET", 200),
        ("read", "/v1/jobs", "POST", 403),
        ("read", "/v1/notifications/1/read", "POST", 404),
        ("read", "/v1/notifications/read", "POST", 422),
        ("submit", "/v1/notifications/read", "POST", 403),
        ("read", f"/v1/jobs/{NOBODYS}", "DELETE", 403),
        ("read", "/v1/agents", "GET", 403),
        ("read", "/nowhere", "GET", 404),
        ("read", "/ui/jobs", "POST", 403),
        ("submit", "/v1/jobs", "POST", 202),
        ("submit", "/v1/jobs", "GET", 403),
        ("submit", f"/v1/jobs/{NOBODYS}", "PUT", 202),
        ("submit", "/kafka/pushToConsumers", "POST", 200),
        ("submit", f"/v1/jobs/{NOBODYS}/plot", "GET", 403),
        ("submit", "/v1/dead-letters/discard", "POST", 403),
        ("admin", "/v1/agents", "GET", 200),
        ("admin", "/v1/dead-letters", "GET", 200),
        ("admin", "/metrics", "GET", 200),
        ("admin", "/v1/jobs", "POST", 403),
    ],
)
def test_scopes(guarded: Deployment, stranger: httpx.Client, scope: str, path: str, method: str, status: int) -> None:
    """A key does what its scope is for; else 403 that names the one that is missing."""
    key = make_key(guarded, scopes=[scope])
    answer = stranger.request(method, path, headers=bearer(key), json=JOB if method in ("POST", "PUT") else None)
    assert answer.status_code == status, answer.text
    if status == 403:
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert (found := re.search(r'scope="(\w+)"', challenge)) is not None
        assert found[1] != scope


def test_metrics_are_the_operators(guarded: Deployment, stranger: httpx.Client) -> None:
    """They count everybody's jobs: an admin of another tenant gets 403."""
    assert stranger.get("/metrics", headers=bearer(make_key(guarded, "anna", ["admin"]))).status_code == 403


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "bearer x y", "Bearer bearer x", "streamapp_x"])
def test_other_headers(stranger: httpx.Client, header: str) -> None:
    """401, whatever stands there; a word that is there twice is named."""
    answer = stranger.get("/v1/jobs", headers={"Authorization": header})
    assert (answer.status_code, "is there twice" in answer.json()["detail"]) == (401, header.startswith("Bearer b"))


def test_browsers_may_ask_beforehand(stranger: httpx.Client) -> None:
    """A preflight (Fetch) has no key, and is answered; so a page elsewhere can send one."""
    asks = {
        "Origin": "https://books.example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = stranger.options("/v1/jobs", headers=asks)
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"].split(", ")
    refused = stranger.get("/v1/jobs", headers={"Origin": asks["Origin"]})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, asks["Origin"])


def test_a_revoked_key_ends(guarded: Deployment, stranger: httpx.Client) -> None:
    """Within seconds, in a worker that has it in use; and when it was last used is known."""
    key = make_key(guarded)
    assert stranger.get("/v1/jobs", headers=bearer(key)).status_code == 200
    database = database_of(guarded)
    identity = str(keys.id_of(key))

    def noted() -> bool:
        row = next(row for row in database.read_sync(keys.keys_of) if row.id == identity)
        return row.last_used_at is not None

    until(noted, 20.0, "its last use to be noted")
    database.write_sync(keys.revoke, identity)
    database.close()
    until(
        lambda: stranger.get("/v1/jobs", headers=bearer(key)).status_code == 401, 20.0, "the worker to refuse the key"
    )


def test_logging_in_and_out(guarded: Deployment) -> None:
    """A page shows the form; the key gives a cookie with which pages and the API work, until it is given back."""
    key = make_key(guarded, "anna")
    html = {"Accept": "text/html"}
    with httpx.Client(base_url=guarded.url, trust_env=False, headers=html) as browser:
        asked = browser.get("/inbox?limit=5")
        assert asked.status_code == 401
        assert 'name="next" value="/inbox?limit=5"' in asked.text
        wrong = browser.post("/login", data={"key": key[:-1], "next": "/inbox"})
        assert (wrong.status_code, "Set-Cookie" in wrong.headers) == (401, False)
        assert key[:-1] not in wrong.text

        entered = browser.post("/login", data={"key": f" {key}\n", "next": "/inbox?limit=5"})
        assert (entered.status_code, entered.headers["Location"]) == (303, "/inbox?limit=5")
        cookie = entered.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
        assert key not in cookie
        assert browser.get("/inbox").status_code == 200
        assert browser.get("/v1/jobs").status_code == 200
        sent = browser.post("/ui/jobs", files={"task": (None, "echo"), "text": (None, "Hello.")})
        assert sent.status_code == 303
        assert browser.get(sent.headers["Location"]).status_code == 200
        assert browser.get("/agents").status_code == 403

        kept = dict(browser.cookies)
        assert browser.post("/logout").headers["Location"] == "/login"
        assert browser.get("/inbox").status_code == 401
        stolen = httpx.get(f"{guarded.url}/v1/jobs", cookies=kept, trust_env=False)
        assert stolen.status_code == 401


def test_the_login_takes_a_small_form_only(stranger: httpx.Client) -> None:
    """Whoever has no key can't make the worker read much."""
    assert stranger.post("/login", data={"key": "x" * 10_000}).status_code == 413
    assert stranger.post("/login", files={"key": b"x"}).status_code == 415
    assert stranger.post("/login", json={"key": "x"}).status_code == 415


@pytest.mark.parametrize("after", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", ""])
def test_logging_in_leads_nowhere_else(guarded: Deployment, after: str) -> None:
    """The page to go on to is one of this site's."""
    data = {"key": make_key(guarded), "next": after}
    assert httpx.post(f"{guarded.url}/login", data=data, trust_env=False).headers["Location"] == "/"


def test_other_sites_can_use_no_cookie(guarded: Deployment) -> None:
    """A form or a script elsewhere, on another port even, whose request has the cookie, is refused on the API too."""
    with httpx.Client(base_url=guarded.url, trust_env=False) as browser:
        browser.post("/login", data={"key": make_key(guarded)})
        for origin, status in (("http://127.0.0.1:1", 403), ("null", 403), (guarded.url, 202)):
            assert browser.post("/v1/jobs", json=JOB, headers={"Origin": origin}).status_code == status
        for path in ("/login", "/logout"):
            assert browser.post(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_command(guarded: Deployment) -> None:
    """It makes a key that works, shows it once, lists it without it, and revokes it; others send STREAMAPP_API_KEY."""

    def command(*arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**guarded.environment, "STREAMAPP_API_KEY": key}
        return subprocess.run(
            [sys.executable, "-m", "streamapp.cli", *arguments], env=environment, capture_output=True, text=True
        )

    made = command("keys", "create", "a name", "--tenant", "carol", "--days", "1", "--scope", "read")
    key = made.stdout.strip()
    assert keys.id_of(key), made.stderr
    listed = command("keys", "list", "--tenant", "carol").stdout
    assert re.search(rf"{keys.id_of(key)}  usable   carol .* read .* a name", listed)
    assert key not in listed
    assert command("jobs", key=key).returncode == 0
    refused = command("jobs")
    assert (refused.returncode, "An API key is needed" in refused.stderr) == (1, True)
    assert command("keys", "revoke", str(keys.id_of(key))).returncode == 0
    assert "revoked" in command("keys", "list", "--tenant", "carol").stdout
    assert command("keys", "revoke", str(keys.id_of(key))).returncode == 1
    assert command("keys", "create", "x", "--tenant", "../etc").returncode == 2


def test_a_start_without_keys_elsewhere_is_refused(broker: str, tmp_path: Path) -> None:
    """Bound to every address without a key: exit code 78 and a sentence; with the words, or with a key, it starts."""
    settings = {"STREAMAPP_WEB_HOST": "0.0.0.0", "STREAMAPP_ONLY_TASKS": "echo", "STREAMAPP_DEFAULT_TASK": "echo"}
    deployment = Deployment(broker, tmp_path, settings)
    with pytest.raises(RuntimeError, match=r"(?s)ended with 78: .*streamapp keys create NAME"):
        deployment.__enter__()

    made = subprocess.run(
        [sys.executable, "-m", "streamapp.cli", "keys", "create", "first"],
        env={**os.environ, **deployment.environment},
        capture_output=True,
        text=True,
    )
    with Deployment(broker, tmp_path, settings) as started:
        assert started.http.get("/v1/jobs").status_code == 401
        assert started.http.get("/v1/jobs", headers=bearer(made.stdout.strip())).status_code == 200
    anyone = {**settings, "STREAMAPP_KEYS": "off-and-anyone-may-use-this"}
    with Deployment(broker, tmp_path, anyone) as started:
        assert started.http.get("/v1/jobs").status_code == 200
