"""Limits are said, and are those that hold."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from aiohttp import web

from streamapp.intake.allowed import Allowed
from streamapp.intake.http import task_resources
from streamapp.intake.prefer import preference
from streamapp.intake.refusal import Refused
from streamapp.intake.submission import parse_submission
from streamapp.settings import Settings
from streamapp.store import rooms
from streamapp.store.database import Database
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry
from tests.unit.intake.serving import served


async def test_what_is_allowed(database: Database, tmp_path: Path) -> None:
    """I expect what the settings say, a tenant's own limit where it has one, and bounds that the intake keeps."""
    settings = Settings(home=tmp_path, max_body_bytes=12_345, tenant_running=3, keep_jobs_days=0)
    limits = Allowed(settings, database, task_resources(Registry([Echo()]), "echo"))
    database.write_sync(rooms.set_tenant, "ben", None, 7, usual=False)
    async with served(("GET", "/v1/limits", limits.get_limits)) as client:
        said = await (await client.get("/v1/limits")).json()
        bens = await (await client.get("/v1/limits", headers={"As": "ben"})).json()
    assert (said["body_bytes"], said["running_jobs"], bens["running_jobs"]) == (12_345, 3, 7)
    assert said["kept_days"] is None
    assert said["tasks"][0]["name"] == "echo"
    assert "text/plain" in said["tasks"][0]["accepts"]
    assert preference([f"wait={said['wait_s'] + 1}"]).wait_s == said["wait_s"]
    for fields in ({"priority": said["priority"]["most"]}, {"name": "x" * said["name_characters"]}):
        parse_submission({"task": "echo", "text": "x", **fields})
    for fields in ({"priority": said["priority"]["most"] + 1}, {"name": "x" * (said["name_characters"] + 1)}):
        with pytest.raises(Refused):
            parse_submission({"task": "echo", "text": "x", **fields})


async def test_what_is_too_large_is_told_the_limit(database: Database) -> None:
    """I expect 413 with the number of bytes that would do."""

    async def read(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    async with served(("POST", "/v1/jobs", read)) as client:
        answer = await client.post("/v1/jobs", data=io.BytesIO(b"x" * ((1 << 20) + 9)))
        assert answer.status == 413
        assert str(1 << 20) in (await answer.json())["detail"]
