"""The API: whether a worker answers where links in e-mails lead, is ready, takes new work, and knows our key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from streamapp.doctor.finding import Finding, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground

__all__ = ["check_api"]

ENDING = (
    "Work waits for those that live. The log of the worker that starts it has its last words; if it does not get "
    "ready, `streamapp doctor --load` loads its models by itself, and says what fails."
)


async def check_api(ground: Ground, url: str) -> Sequence[Finding]:
    """Ask for its health, its readiness, and something that takes a key."""
    key = ground.settings.api_key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=ground.timeout_s / 3, headers=headers) as client:
            health = await client.get(f"{url}/healthz")
            if health.status_code != 200 or _of(health).get("status") != "ok":
                return [_stranger(url, health.status_code)]
            return [*_ready(url, await client.get(f"{url}/readyz")), *_known(await client.get(f"{url}/v1/limits"), key)]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        if isinstance(error, httpx.ConnectError) and await _is_ups(ground, url):
            return [skipped(f"No worker answers at {url}: it comes with `streamapp up`, which does not run.")]
        return [
            problem(
                f"No worker answers at {url}: {str(error) or type(error).__name__}",
                "Start one, or correct STREAMAPP_WEB_HOST, STREAMAPP_WEB_PORT or STREAMAPP_PUBLIC_URL.",
            )
        ]


async def _is_ups(ground: Ground, url: str) -> bool:
    """Whether it is the worker of an `up` that does not run; whoever names an address wants to hear about that one."""
    settings = ground.settings
    return not settings.public_url and url == settings.link_base and await ground.idle()


def _stranger(url: str, status: int) -> Finding:
    return problem(
        f"What answers at {url} is no worker of streamapp ({status}).",
        "Correct STREAMAPP_WEB_PORT or STREAMAPP_PUBLIC_URL, or what stands before the worker.",
    )


def _ready(url: str, answer: httpx.Response) -> list[Finding]:
    said = _of(answer).get("detail", "")
    if answer.status_code != 200:
        return [
            problem(
                f"The worker at {url} is not ready: {said or answer.status_code}",
                "It may be starting; else its log and that of its model worker say why.",
            )
        ]
    found = [ok(f"A worker answers at {url}, and is ready.")]
    if said:
        found = [
            warning(f"The worker at {url} is ready, but: {said}", "Mend what it names; until then it answers 503.")
        ]
    if ending := _of(answer).get("warning"):
        found.append(warning(f"Of the model workers that the worker at {url} keeps: {ending}.", ENDING))
    return found


def _known(answer: httpx.Response, key: str) -> list[Finding]:
    if answer.status_code in (401, 403):
        what = (
            "does not take the key in STREAMAPP_API_KEY" if key else "asks for a key, and STREAMAPP_API_KEY is not set"
        )
        return [
            warning(
                f"The API {what}: commands like `streamapp submit` don't work from here.",
                "Set it to a key that `streamapp keys create NAME` has printed.",
            )
        ]
    return []


def _of(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
