"""How a Flask site starts under gunicorn, before forks and behind them, and what its processes count together."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from streamapp.store.database import Database
from streamapp.store.keys import NewKey, create
from streamapp.store.migrate import migrate
from streamapp.testing.deployment import until
from streamapp.testing.keys import bearer
from tests.integration.gunicorn_site import GunicornSite
from tests.integration.postgresql import binaries, server

ECHO = {"task": "echo", "text": "Hello."}
PRELOADED = pytest.mark.parametrize("flags", [(), ("--preload",)], ids=["forked", "preloaded"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that a worker has made."""
    home = tmp_path / "home"
    (home / "blobs").mkdir(parents=True)
    database = Database(f"sqlite:///{home / 'streamapp.db'}")
    migrate(database)
    database.close()
    return home


def environment(home: Path, **settings: str) -> dict[str, str]:
    """A site's, with nothing of ours; no broker is there, and none is needed to accept."""
    ours = {
        "home": str(home),
        "broker": "127.0.0.1:1",
        "only_tasks": "echo",
        "default_task": "echo",
        "min_free_mb": "0",
        "keys": "off-and-anyone-may-use-this",
        **settings,
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    return {**others, **{f"STREAMAPP_{name.upper()}": value for name, value in ours.items()}}


def _does_not_start(folder: Path, variables: Mapping[str, str], *flags: str) -> str:
    """What gunicorn has logged when it ended."""
    site = GunicornSite(folder, variables, *flags)
    with ExitStack() as behind:
        behind.push(site)  # also when it does not come up
        with pytest.raises(RuntimeError, match="gunicorn ended"):
            site.__enter__()
    return site.log.read_text()


@PRELOADED
def test_a_wrong_home_ends_the_start(home: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """gunicorn ends, and its log says what is wrong and what to do, be there no home or one where no worker was."""
    elsewhere = tmp_path / "elsewhere"
    said = _does_not_start(tmp_path, environment(elsewhere), *flags)
    assert f"There is no store at {elsewhere}/streamapp.db" in said
    assert "start a worker first" in said
    assert not elsewhere.exists()
    (home / "streamapp.db").write_bytes(b"")
    assert "has no tables of streamapp: start a worker first" in _does_not_start(tmp_path, environment(home), *flags)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """A server's URL."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed")
    with server(programs) as url:
        yield url


def _postgresql(home: Path, url: str) -> dict[str, str]:
    address = url.replace("+psycopg", "")
    return environment(home, database_url=address, blob_url=(home / "blobs").as_uri())


def test_a_database_that_no_server_has(postgresql: str, home: Path, tmp_path: Path) -> None:
    """One that does not exist is a wrong name, and one without tables is no store: neither is waited for."""
    with_password = postgresql.replace("@/postgres?", ":secret@/nothing?")
    said = _does_not_start(tmp_path, _postgresql(home, with_password))
    assert "There is no database" in said
    assert "secret" not in said
    assert "start a worker first" in said
    said = _does_not_start(tmp_path, _postgresql(home, postgresql.replace("/postgres?", "/template1?")))
    assert "has no tables of streamapp" in said


@PRELOADED
def test_a_database_that_is_away_for_now(
    postgresql: str, home: Path, tmp_path: Path, flags: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    """The site starts, says so, answers 503 with when to come again, and works as soon as the server can be reached."""
    database = Database(postgresql)
    migrate(database)
    database.close()
    (socket,) = Path(postgresql.rpartition("host=")[2]).glob(".s.PGSQL.????")
    aside = shutil.move(socket, socket.with_name("aside"))
    request.addfinalizer(lambda: Path(aside).exists() and shutil.move(aside, socket))
    with GunicornSite(tmp_path, _postgresql(home, postgresql), *flags) as site:
        for _ in range(4):
            answer = site.http.post("/v1/jobs", json=ECHO)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "503 is answered until the store can be used" in site.log.read_text()
        shutil.move(aside, socket)
        until(lambda: site.http.post("/v1/jobs", json=ECHO).status_code == 202, 60, "a job to be accepted")


@PRELOADED
def test_processes_count_a_key_together(home: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Requests that come to both at once: as many as the key may send go through, and not as many for each process."""
    database = Database(f"sqlite:///{home / 'streamapp.db'}")
    key = database.write_sync(create, NewKey("anna", "site", ("submit", "read"), per_minute=6))[1]
    database.close()
    with GunicornSite(tmp_path, environment(home, keys="required"), *flags) as site:
        began = time.monotonic()

        def ask(_: int) -> httpx.Response:
            return httpx.get(f"{site.http.base_url}/v1/jobs/none", headers=bearer(key), trust_env=False, timeout=30)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(ask, range(48)))
        come = int((time.monotonic() - began) * 6 / 60)  # tokens since
    through = [answer.status_code for answer in answers if answer.status_code != 429]
    assert set(through) == {404}
    assert 6 <= len(through) <= 6 + come
    assert all(answer.headers["RateLimit-Policy"] == '"key";q=6;w=60' for answer in answers)
