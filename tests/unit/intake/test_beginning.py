"""A Flask site that starts: beside the workers' store it does, at a wrong home it does not, an outage ends nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask
from sqlalchemy import text

from streamapp.errors import ConfigurationError
from streamapp.intake.beginning import look_at_store
from streamapp.intake.flask import blueprint
from streamapp.settings import Settings
from streamapp.store.database import Database

Started = Callable[..., Flask]
DO = "start a worker first, which makes what is needed, and name the same STREAMAPP_HOME"


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    """A home where a worker was."""
    home = tmp_path / "home"
    (home / "blobs").mkdir(parents=True)
    shutil.copy(migrated, home / "streamapp.db")
    return home


def settings(home: Path, **fields: Any) -> Settings:
    """Those of a site with that home."""
    usual = {"home": home, "broker": "127.0.0.1:1", "only_tasks": ("echo",), "default_task": "echo", "min_free_mb": 0}
    return Settings(**{**usual, "keys": "off-and-anyone-may-use-this", **fields})


def site(home: Path, **fields: Any) -> Flask:
    """A site with the blueprint."""
    made = Flask(__name__)
    made.register_blueprint(blueprint(settings(home, **fields)))
    return made


def test_beside_a_worker(home: Path) -> None:
    """I expect a start that changes nothing in the home, and leaves nothing open for a fork to share."""
    before = sorted(os.listdir(home))
    open_files = psutil.Process().num_fds()
    app = site(home)
    assert sorted(os.listdir(home)) == before
    assert psutil.Process().num_fds() == open_files
    assert app.test_client().get("/v1/jobs/none").status_code == 404


def _no_file(home: Path) -> None:
    (home / "streamapp.db").unlink()


def _no_home(home: Path) -> None:
    shutil.rmtree(home)


def _empty(home: Path) -> None:
    (home / "streamapp.db").write_bytes(b"")


def _others(home: Path) -> None:
    _empty(home)
    database = Database(f"sqlite:///{home / 'streamapp.db'}")
    database.write_sync(lambda connection: connection.execute(text("CREATE TABLE jobs (id TEXT)")))
    database.close()


def _letter(home: Path) -> None:
    (home / "streamapp.db").write_text("Dear all,\n" * 1000)


def _no_documents(home: Path) -> None:
    (home / "blobs").rmdir()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_no_file, "There is no store at HOME/streamapp.db"),
        (_no_home, "There is no store at HOME/streamapp.db"),
        (_empty, "sqlite:///HOME/streamapp.db has no tables of streamapp"),
        (_others, "sqlite:///HOME/streamapp.db has no tables of streamapp"),
        (_letter, "sqlite:///HOME/streamapp.db is no SQLite file"),
        (_no_documents, "There is no folder for documents at HOME/blobs"),
    ],
)
def test_a_wrong_home(home: Path, change: Callable[[Path], None], said: str) -> None:
    """I expect no start, a sentence that says what is wrong and what to do, and nothing made there."""
    change(home)
    before = sorted(os.listdir(home)) if home.exists() else None
    with pytest.raises(ConfigurationError) as refused:
        site(home)
    assert said.replace("HOME", str(home)) in str(refused.value)
    assert DO in str(refused.value)
    assert (sorted(os.listdir(home)) if home.exists() else None) == before


def test_a_store_that_is_away(home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """I expect a site that starts, says so in its log without the password, and answers 503 with when to come again."""
    url = f"postgresql://anna:secret@/books?host={tmp_path}"  # no server has its socket there
    client = site(home, database_url=url, blob_url=(home / "blobs").as_uri()).test_client()
    assert "503 is answered until the store can be used" in caplog.text
    assert "secret" not in caplog.text
    answer = client.post("/v1/jobs", json={"task": "echo", "text": "Hello."})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_store_with_older_tables(home: Path) -> None:
    """I expect a start: the workers are about to be of this version too. Until then it is 503, and then it works."""
    database = Database(f"sqlite:///{home / 'streamapp.db'}")

    def set_revision(revision: str) -> str:
        def work(connection: Any) -> str:
            old = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
            connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
            return old

        return database.write_sync(work)

    newest = set_revision("0001")
    client = site(home).test_client()
    assert client.get("/v1/jobs/none").status_code == 503
    set_revision(newest)
    assert client.get("/v1/jobs/none").status_code == 404
    database.close()


def test_documents_in_a_bucket(home: Path) -> None:
    """I expect no folder to be looked for."""
    _no_documents(home)
    look_at_store(settings(home, blob_url="s3://books"))
