"""Limits are said, and are those that hold."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from streamapp.intake.allowed import Allowed
from streamapp.intake.caller import CALLER
from streamapp.intake.http import task_resources
from streamapp.intake.prefer import preference
from streamapp.intake.refusal import Refused
from streamapp.intake.submission import parse_submission
from streamapp.settings import Settings
from streamapp.store import rooms
from streamapp.store.database import Database
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry
from tests.unit.intake.serving import ANNA, served


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
    assert said["key"] == {"requests_per_minute": None, "active_jobs": None}
    assert said["tasks"][0]["name"] == "echo"
    assert "text/plain" in said["tasks"][0]["accepts"]
    assert preference([f"wait={said['wait_s'] + 1}"]).wait_s == said["wait_s"]
    for fields in ({"priority": said["priority"]["most"]}, {"name": "x" * said["name_characters"]}):
        parse_submission({"task": "echo", "text": "x", **fields})
    for fields in ({"priority": said["priority"]["most"] + 1}, {"name": "x" * (said["name_characters"] + 1)}):
        with pytest.raises(Refused):
            parse_submission({"task": "echo", "text": "x", **fields})


async def test_a_key_is_told_its_own_limits(database: Database, tmp_path: Path) -> None:
    """I expect those that it was made with."""
    limits = Allowed(Settings(home=tmp_path), database, [])
    hurried = replace(ANNA, per_minute=60, active_jobs=5)

    async def asked_by_hurried(request: web.Request) -> web.Response:
        request[CALLER] = hurried
        return await limits.get_limits(request)

    async with served(("GET", "/v1/limits", asked_by_hurried)) as client:
        said = await (await client.get("/v1/limits")).json()
    assert said["key"] == {"requests_per_minute": 60, "active_jobs": 5}


async def test_what_is_too_large_is_told_the_limit(database: Database) -> None:
    """I expect 413 with the number of bytes that would do."""

    async def read(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    async with served(("POST", "/v1/jobs", read)) as client:
        answer = await client.post("/v1/jobs", data=io.BytesIO(b"x" * ((1 << 20) + 9)))
        assert answer.status == 413
        assert str(1 << 20) in (await answer.json())["detail"]
