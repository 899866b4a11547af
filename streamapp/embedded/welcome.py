"""The first start shows the whole way once: a short story goes in, its summary and its e-mail come out."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from importlib import resources
from pathlib import Path
from typing import Any

from streamapp.embedded import StartError
from streamapp.embedded.api import Api
from streamapp.embedded.screen import Screen, Step

__all__ = ["TASK", "curl_line", "first_job", "is_first_start", "story"]

TASK = "summarize"
KEY = "first-job"
EMAIL_WITHIN_S = 120.0
FINAL = {"succeeded", "failed", "cancelled", "expired"}
SETTLED = {"sent", "dead", "parked"}


def story() -> Path:
    """The shipped story. Raises `StartError` when the installation lacks it."""
    folder = Path(str(resources.files("streamapp.embedded"))) / "first_job"
    texts = sorted(folder.glob("*.txt"))
    if not texts:
        raise StartError("The story for the first job is missing: install streamapp again.")
    return texts[0]


def _marker(home: Path) -> Path:
    return home / "first-job.json"


def is_first_start(home: Path) -> bool:
    """Whether this home has not shown its first job to the end yet."""
    return not _marker(home).exists()


def curl_line(base: str, email: str, task: str = TASK, *, with_key: bool = False) -> str:
    """A line to copy: it sends the shipped story; another file is the only thing to change in it."""
    file = story()
    here = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    upload = shlex.quote(f"file=@{here}")
    key = '-H "Authorization: Bearer $STREAMAPP_API_KEY" ' if with_key else ""
    return f"curl {key}-F task={shlex.quote(task)} -F {upload} -F email={shlex.quote(email)} {base}/v1/jobs"


async def first_job(api: Api, screen: Screen, home: Path, mailbox: Path | None, email: str) -> None:
    """Submit the story, follow it, show its report and its e-mail. Raises `StartError`.

    Interrupted and started again it goes on with the same job: the idempotency key is the same. Without a mailbox of
    our own (`mailbox` is None) no e-mail is asked for: nobody's inbox gets a surprise.
    """
    began = time.time()
    file = story()
    body: dict[str, Any] = {"task": TASK, "text": file.read_text(encoding="utf-8"), "name": file.name}
    path = await api.submit(body | ({"email": email} if mailbox else {}), KEY)
    with screen.step(f"The first job: {file.name}") as step:
        job = await _followed(api, path, step)
    _marker(home).write_text(json.dumps({"job": job["id"]}) + "\n", encoding="utf-8")  # shown, however it went
    if job["status"] != "succeeded":
        raise StartError(f"The first job {job['id']} has {job['status']}: {job.get('error') or 'no reason is given'}")
    screen.line()
    screen.line(job["report"]["subject"])
    screen.line(job["report"]["text"])
    screen.line()
    if mailbox:
        screen.line(await _email(api, path, screen, mailbox, began))


async def _followed(api: Api, path: str, step: Step) -> dict[str, Any]:
    while True:
        job = await api.job(path)
        if job is not None:
            progress = job.get("progress") or {}
            step.at(progress.get("done") or 0, progress.get("total") or 0)
            if job["status"] in FINAL:
                return job
        await asyncio.sleep(0.3)


async def _email(api: Api, path: str, screen: Screen, mailbox: Path, began: float) -> str:
    """Wait for the e-mail; returns the sentence about it."""
    with screen.step("Its e-mail"):
        deadline = time.monotonic() + EMAIL_WITHIN_S
        while time.monotonic() < deadline:
            job = await api.job(path) or {}
            states = [item.get("state") for item in job.get("deliveries", ()) if item.get("kind") == "email"]
            if states and all(state in SETTLED for state in states):
                break
            await asyncio.sleep(0.3)
        else:
            raise StartError(f"The first job's e-mail was not delivered within {EMAIL_WITHIN_S:.0f} s.")
    if "sent" not in states:
        raise StartError(f"The first job's e-mail could not be delivered: its state is {states[0]}.")
    return f"Its e-mail, with the plot, lies in {newest(mailbox, began) or mailbox / 'new'}"


def newest(mailbox: Path, since: float) -> Path | None:
    """The newest message of a Maildir that came after `since` (seconds since the epoch); any when none did."""
    files = [file for part in ("new", "cur") for file in (mailbox / part).glob("*")]
    files.sort(key=lambda file: file.stat().st_mtime)
    recent = [file for file in files if file.stat().st_mtime >= since - 1]
    return next(reversed(recent or files), None)
