"""The Python client of the API: `Client`, and `AsyncClient` with the same methods to await.

::

    with Client("http://127.0.0.1:6066") as client:
        job = client.submit("summarize", file="book.epub", email="reader@localhost")
        print(client.wait(job.id).report.text)

It needs httpx and pydantic, and nothing of what runs the jobs. What to send, how to read what comes back, and whether
and when to try again is decided in one place for both (`calls`, `retries`, `following`, `waiting`), without any I/O;
`sync` and `asynchronous` only send, read and sleep.
"""

from __future__ import annotations

from streamapp.client.asynchronous import AsyncClient
from streamapp.client.calls import Filter, Sending
from streamapp.client.errors import ApiError, ApiUnreachable, WaitTimeout
from streamapp.client.following import JobEvent
from streamapp.client.retries import Policy
from streamapp.client.sync import Client
from streamapp.event_resources import DoneEvent, PartialEvent, ProgressEvent

__all__ = [
    "ApiError",
    "ApiUnreachable",
    "AsyncClient",
    "Client",
    "DoneEvent",
    "Filter",
    "JobEvent",
    "PartialEvent",
    "Policy",
    "ProgressEvent",
    "Sending",
    "WaitTimeout",
]
