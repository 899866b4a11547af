"""The few calls that `up` makes to its own worker's API, as any client would make them."""

from __future__ import annotations

from typing import Any

import httpx

from streamapp.embedded import StartError

__all__ = ["Api", "KeyNeeded", "base_url"]

LONGEST = 300  # characters of what is shown

Json = dict[str, Any]


def base_url(host: str, port: int) -> str:
    """How this machine reaches a server that listens on host:port."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"


class KeyNeeded(StartError):
    """The worker asks for a key, and none was given, or another one is needed."""


class Api:
    """A client for one worker; close it."""

    def __init__(self, base: str, transport: httpx.AsyncBaseTransport | None = None, key: str = "") -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # trust_env=False: a proxy of the environment has no part in calls to this machine
        self._client = httpx.AsyncClient(
            base_url=base, timeout=10.0, trust_env=False, transport=transport, headers=headers
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def not_ready(self) -> str | None:
        """None when the worker is ready, else why not, in a few words."""
        try:
            answer = await self._client.get("/readyz")
        except httpx.TransportError:
            return "no answer yet"
        if answer.status_code == 200:
            return None
        return _detail(answer)

    async def submit(self, body: Json, key: str) -> str:
        """Post a job; returns its path. Raises `StartError` with the API's own words when it is refused."""
        try:
            answer = await self._client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError as error:
            raise StartError(f"The first job could not be sent to the worker: {type(error).__name__}.") from error
        if answer.status_code not in (200, 202):
            raise StartError(f"The first job was refused with status {answer.status_code}: {_detail(answer)}")
        return answer.headers["Location"]

    async def job(self, path: str) -> Json | None:
        """That job; None while the worker does not answer, because it is being started again."""
        try:
            answer = await self._client.get(path)
            return answer.raise_for_status().json() if answer.status_code < 500 else None
        except httpx.HTTPStatusError as error:
            raise StartError(
                f"The worker does not know the job {path} (status {error.response.status_code})."
            ) from error
        except httpx.TransportError:
            return None

    async def count_jobs(self) -> tuple[int, bool]:
        """How many jobs it lists, and whether there are more than a page of them."""
        try:
            response = await self._client.get("/v1/jobs", params={"limit": 100})
            answer = response.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            if response.status_code in (401, 403):
                raise KeyNeeded(f"Keys are asked for here, so its jobs are not counted: {_detail(response)}") from error
            raise StartError(f"The worker does not list its jobs: {_detail(response)}") from error
        except httpx.HTTPError as error:
            raise StartError(f"The worker can't list its jobs: {type(error).__name__}.") from error
        return len(answer["items"]), bool(answer.get("next"))


def _detail(answer: httpx.Response) -> str:
    """What a problem document (RFC 9457) says, else the beginning of the body."""
    try:
        problem = answer.json()
        return str(problem.get("detail") or problem.get("title") or problem)[:LONGEST]
    except (ValueError, AttributeError):
        return answer.text[:LONGEST]
