"""The Flask blueprint on a site: what is its own. tests/integration/test_flask.py says that it answers as a worker."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, func, select

from streamapp.errors import ConfigurationError
from streamapp.identity import DEFAULT_TENANT
from streamapp.intake.flask import blueprint
from streamapp.intake.problems import NOT_PACKED_SO
from streamapp.intake.site import PATHS
from streamapp.settings import Settings
from streamapp.store import rooms
from streamapp.store.database import Database
from streamapp.store.keys import NewKey, create, keys_of
from streamapp.store.schema import jobs
from streamapp.store.sql import AnyRow

PAGE = "https://books.example.org"
ECHO = {"task": "echo", "text": "Hello."}

Client = Callable[..., FlaskClient]


class Published:
    """Takes the place of what publishes, and records."""

    rows: list[AnyRow] = []  # noqa: RUF012 - emptied before each test

    def __init__(self, database: Database, settings: Settings) -> None:
        """Nothing is needed."""

    async def accepted(self, rows: Sequence[AnyRow]) -> None:
        """Record them."""
        Published.rows.extend(rows)

    def close(self, within_s: float) -> None:
        """Nothing waits."""


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamapp.intake.flask.Producing", Published)
    monkeypatch.setattr("streamapp.intake.flask.atexit.register", lambda *_: None)
    Published.rows = []


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Callable[..., Settings]:
    """Settings of a site beside that store, in a home where a worker was."""
    (tmp_path / "blobs").mkdir()

    def make(**fields: Any) -> Settings:
        usual = {
            "home": tmp_path,
            "database_url": database.url,
            "broker": "127.0.0.1:1",
            "keys": "off-and-anyone-may-use-this",
            "only_tasks": ("echo",),
            "default_task": "echo",
            "min_free_mb": 0,
        }
        return Settings(**{**usual, **fields})

    return make


@pytest.fixture
def client(settings: Callable[..., Settings]) -> Client:
    """A client of a site with the blueprint."""

    def make(prefix: str | None = None, config: dict[str, Any] | None = None, **fields: Any) -> FlaskClient:
        site = Flask(__name__)
        site.config.update(config or {})
        site.register_blueprint(blueprint(settings(**fields)), url_prefix=prefix)
        site.add_url_rule("/", view_func=lambda: "A site.")
        return site.test_client()

    return make


def count(connection: Connection) -> int:
    """How many jobs there are."""
    return connection.execute(select(func.count()).select_from(jobs)).scalar_one()


def test_a_job_is_accepted_and_published(client: Client, database: Database) -> None:
    """I expect 202 with where it is, the row in the store, and the same row to be published, once."""
    site = client()
    answer = site.post("/v1/jobs", json=ECHO, headers={"Idempotency-Key": "one"})
    again = site.post("/v1/jobs", json=ECHO, headers={"Idempotency-Key": "one"})
    job = answer.get_json()["id"]
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{job}")
    assert (again.status_code, again.get_json()["id"]) == (202, job)
    assert database.read_sync(count) == 1
    assert [row.id for row in Published.rows] == [job]
    assert site.get(f"/v1/jobs/{job}").get_json()["status"] == "queued"


def test_the_old_path(client: Client) -> None:
    """I expect the answer that old clients know."""
    answer = client().post("/kafka/pushToConsumers", data=b'{"any": "thing"}')
    assert (answer.status_code, answer.get_json()["status"]) == (200, "Pass")
    assert [row.task for row in Published.rows] == ["echo"]


def test_a_site_may_have_it_anywhere(client: Client) -> None:
    """I expect `Location` to be where the job is, behind a prefix of the blueprint and one of the server."""
    site = client(prefix="/api")
    answer = site.post("/api/v1/jobs", json=ECHO, base_url="http://site/below")
    assert answer.headers["Location"] == f"/below/api/v1/jobs/{answer.get_json()['id']}"
    assert site.get("/").text == "A site."


def test_a_wait_is_not_granted(client: Client) -> None:
    """I expect 202 at once, and no word that the preference was applied: a site has few threads to wait in."""
    answer = client().post("/v1/jobs", json=ECHO, headers={"Prefer": "wait=60"})
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (202, None)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/x", "/kafka/pushToConsumers"])
def test_other_methods(client: Client, path: str) -> None:
    """I expect a problem document that names those there are, and not the site's page."""
    answer = client().patch(path)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json; charset=utf-8")
    assert answer.headers["Allow"].startswith(("OPTIONS,POST", "GET,HEAD,OPTIONS,PUT"))


def test_a_body_in_pieces_without_a_length(client: Client, database: Database, tmp_path: Path) -> None:
    """I expect a large one to be kept as it is, and one that breaks off to leave nothing."""
    site, content = client(), b"A long text. " * 400_000
    broken = {"wsgi.input": _Breaking(content), "CONTENT_LENGTH": str(len(content))}
    answer = site.post("/v1/jobs?task=echo", content_type="text/plain", environ_overrides=broken)
    assert (answer.status_code, "can't be read" in answer.text) == (400, True)
    assert _files(tmp_path / "blobs") == []
    assert database.read_sync(count) == 0
    whole = {"wsgi.input": _Pieces(content), "wsgi.input_terminated": True}
    answer = site.post("/v1/jobs?task=echo", content_type="text/plain", environ_overrides=whole)
    assert answer.status_code == 202
    assert [file.read_bytes() for file in _files(tmp_path / "blobs")] == [content]


class _Pieces:
    """A server's input: it gives less than it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self, size: int = -1) -> bytes:
        piece, self._left = self._left[:1000], self._left[1000:]
        return piece

    def readinto(self, buffer: Any) -> int:
        piece = self.read()
        buffer[: len(piece)] = piece
        return len(piece)


class _Breaking(_Pieces):
    """And its client goes away in the middle."""

    def read(self, size: int = -1) -> bytes:
        if len(self._left) < 2_600_000:
            raise OSError("gone")
        return super().read(size)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "documents" in path.parts]


def test_what_is_not_compressed_as_it_says(client: Client) -> None:
    """I expect to hear of the encoding, and not of JSON alone."""
    site, packed = client(), gzip.compress(json.dumps(ECHO).encode())
    for body, words in ((b"no gzip", NOT_PACKED_SO), (packed[:20], "was it compressed, and whole?")):
        for path in ("/v1/jobs", "/kafka/pushToConsumers"):
            about = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            answer = site.post(path, data=body, headers=about)
            assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (400, "body")
            assert words in answer.get_json()["detail"]


def test_limits_are_said(client: Client, tmp_path: Path) -> None:
    """I expect 413 with the limit: of a body, of a document, of what a few bytes inflate to, and of the site itself."""
    site = client(max_body_bytes=2000, max_document_bytes=5000)
    long = {"task": "echo", "text": "a" * 3000}
    answers = [
        site.post("/v1/jobs", json=long),
        site.post(
            "/v1/jobs", data=gzip.compress(b" " * 10_000), headers={"Content-Encoding": "gzip"}, content_type="a/json"
        ),
        site.post("/v1/jobs?task=echo", data=b"a" * 6000, content_type="text/plain"),
        client(config={"MAX_CONTENT_LENGTH": 100}).post("/v1/jobs", json=long),
    ]
    assert [answer.status_code for answer in answers] == [413, 415, 413, 413]
    assert "2000 bytes" in answers[0].get_json()["detail"]
    assert "5000 bytes" in answers[2].get_json()["detail"]
    assert _files(tmp_path / "blobs") == []


def _form(*parts: tuple[str, int], about: bytes = b"") -> dict[str, Any]:
    """What sends a form with fields of so many bytes, the last one with more headers."""
    sent = b'--b\r\nContent-Disposition: form-data; name="task"\r\n\r\necho\r\n'
    for number, (name, size) in enumerate(parts, start=1):
        more = about if number == len(parts) else b""
        line = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n%s\r\n' % (name.encode(), more)
        sent += line + b"a" * size + b"\r\n"
    return {"data": sent + b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}


def test_the_limits_of_a_form(client: Client, database: Database) -> None:
    """I expect its fields to have a body's bytes together and no more, whatever its file has; and heads a bound too."""
    site = client(max_body_bytes=2000, max_document_bytes=9000)

    def status(*parts: tuple[str, int], about: bytes = b"") -> int:
        return site.post("/v1/jobs", **_form(*parts, about=about)).status_code

    assert status(("text", 1900)) == 202
    assert status(("file", 6000)) == 202
    assert [status(("text", 2001)), status(("text", 1500), ("name", 600))] == [413, 413]
    assert status(("file", 12_000)) == 413
    assert status(("text", 9), about=b"X: " + b"a" * 8500 + b"\r\n") == 400
    assert status(("text", 9), about=b"X: a\r\n" * 200) == 400
    assert database.read_sync(count) == 2


def test_a_key_is_asked_for(client: Client, database: Database) -> None:
    """I expect one, also while there is none: nobody here knows who reaches the site. Its use is noted."""
    site = client(keys="auto")
    assert site.post("/v1/jobs", json=ECHO).status_code == 401
    key = database.write_sync(create, NewKey("anna", "site", ("submit",)))[1]
    answer = site.post("/v1/jobs", json=ECHO, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 202
    assert [row.tenant for row in Published.rows] == ["anna"]
    assert site.get(answer.headers["Location"], headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_what_is_anothers_is_not_there(client: Client, database: Database) -> None:
    """I expect the same bytes as for what nobody has, wherever a path has an id in it and something is read."""
    site = client(keys="required")
    keys = {
        tenant: {
            "Authorization": f"Bearer {database.write_sync(create, NewKey(tenant, 'site', ('submit', 'read')))[1]}"
        }
        for tenant in ("anna", "bert")
    }
    job = site.post("/v1/jobs", json=ECHO, headers=keys["anna"]).get_json()["id"]
    reads = [(method, rule) for rule in PATHS if "<" in rule for method in PATHS[rule] if method != "PUT"]
    assert ("GET", "/v1/jobs/<job_id>") in reads
    for method, rule in reads:
        hers, nobodys = (rule.replace("<job_id>", each) for each in (job, str(uuid.uuid4())))
        answer, other = (site.open(path, method=method, headers=keys["bert"]) for path in (hers, nobodys))
        assert answer.status_code == 404
        assert (answer.data, list(answer.headers)) == (other.data, list(other.headers))
        assert site.open(hers, method=method, headers=keys["anna"]).status_code == 200


def test_a_login_is_no_key(client: Client, database: Database) -> None:
    """I expect the cookie of streamapp's own pages to open nothing here."""
    login = database.write_sync(create, NewKey(DEFAULT_TENANT, "site", ("submit", "read")))[1]
    site = client(keys="required")
    site.set_cookie("streamapp_login", login)
    assert site.post("/v1/jobs", json=ECHO).status_code == 401


def test_what_is_known_is_fresh(client: Client, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a revoked key and a paused tenant to be noticed once what is known is some seconds old."""
    site, clock = client(keys="required"), _Clock()
    monkeypatch.setattr("time.monotonic", clock)
    identity, key = database.write_sync(create, NewKey("anna", "site", ("submit",)))

    def send() -> int:
        return site.post("/v1/jobs", json=ECHO, headers={"Authorization": f"Bearer {key}"}).status_code

    assert send() == 202
    database.write_sync(rooms.pause, "anna", True)
    clock.now += 3
    assert send() == 403
    database.write_sync(rooms.pause, "anna", False)
    clock.now += 3600
    assert send() == 202
    database.write_sync(_revoke, identity)
    clock.now += 7
    assert send() == 401
    (row,) = database.read_sync(keys_of)
    assert row.last_used_at is not None


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _revoke(connection: Connection, identity: str) -> None:
    from streamapp.store.keys import revoke

    assert revoke(connection, identity)


def test_backpressure(client: Client, database: Database) -> None:
    """I expect 503 with when to come again while the disk is nearly full, and nothing to be accepted."""
    answer = client(min_free_mb=1 << 40).post("/v1/jobs", json=ECHO)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "nearly full" in answer.get_json()["detail"]
    assert database.read_sync(count) == 0


@pytest.mark.parametrize(
    ("fields", "said"), [({"broker": ""}, "STREAMAPP_BROKER is not set"), ({"keys": "off"}, "anyone-may-use-this")]
)
def test_what_the_settings_do_not_say(settings: Callable[..., Settings], fields: dict[str, Any], said: str) -> None:
    """I expect the site not to start, with a sentence."""
    with pytest.raises(ConfigurationError, match=said):
        blueprint(settings(**fields))


def test_pages_of_other_sites(client: Client) -> None:
    """I expect a listed origin to be answered to, preflights without a key, and no other one, nor any by default."""
    asks = {"Access-Control-Request-Method": "PUT"}
    site = client(cors_origins=(PAGE,), keys="required")
    granted = site.options("/v1/jobs/x", headers={"Origin": PAGE, **asks})
    assert (granted.status_code, granted.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, PUT")
    refused = site.post("/v1/jobs", json=ECHO, headers={"Origin": PAGE})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    for origin in ("https://elsewhere.example.org", "null", f"{PAGE}:8443", PAGE.upper()):
        other = site.options("/v1/jobs/x", headers={"Origin": origin, **asks})
        assert (other.status_code, other.headers["Vary"]) == (403, "Origin")
        assert not [name for name, _ in other.headers if name.startswith("Access")]
    closed = client().post("/v1/jobs", json=ECHO, headers={"Origin": PAGE})
    assert not {"Vary", "Access-Control-Allow-Origin"} & set(closed.headers.keys())


def test_threads_share_it(client: Client, database: Database) -> None:
    """I expect many at once to be accepted, each one once, with one key among them naming one job."""
    site = client()
    start = threading.Barrier(8)

    def post(number: int) -> tuple[int, str]:
        start.wait(10)
        headers = {"Idempotency-Key": "shared"} if number % 2 else {}
        answer = site.application.test_client().post("/v1/jobs", json=ECHO, headers=headers)
        return answer.status_code, str(answer.get_json()["id"])

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(post, range(64)))
    assert {status for status, _ in outcomes} == {202}
    assert len({job for _, job in outcomes}) == database.read_sync(count) == len(Published.rows) == 33


def test_importing_it_starts_nothing() -> None:
    """I expect neither torch nor the jobs worker nor a thread, whoever imports it."""
    code = (
        "import sys, threading; import streamapp.intake.flask; "
        "print([m for m in ('torch', 'streamapp.bootstrap', 'streamapp.apps') if m in sys.modules], "
        "threading.active_count())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ran.stdout.strip() == "[] 1"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before
