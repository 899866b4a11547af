"""API keys for a deployment under test, of as many tenants as a test needs.

::

    anna, bert = make_key(deployment, "anna"), make_key(deployment, "bert")
    job = deployment.submit({"task": "echo", "text": "Hello."}, **bearer(anna))
    assert deployment.http.get(f"/v1/jobs/{job}", headers=bearer(bert)).status_code == 404

With the first key that there is, keys are asked for; `deployment.http` then goes on with one of its own, of the default
tenant and with all scopes.
"""

from __future__ import annotations

from collections.abc import Collection

import httpx

from streamapp.identity import DEFAULT_TENANT
from streamapp.store.database import Database
from streamapp.store.keys import NewKey, create
from streamapp.testing.deployment import Deployment, until

__all__ = ["bearer", "database_of", "make_key"]

ALL = ("submit", "read", "admin")
ASKS_WITHIN_S = 20.0


def bearer(key: str) -> dict[str, str]:
    """The header that sends an API key (RFC 6750)."""
    return {"Authorization": f"Bearer {key}"}


def make_key(
    deployment: Deployment, tenant: str = DEFAULT_TENANT, scopes: Collection[str] = ("submit", "read"), **limits: int
) -> str:
    """A new API key of a running deployment. `limits` are those of `NewKey`."""
    database = database_of(deployment)
    try:
        if "Authorization" not in deployment.http.headers:
            own = database.write_sync(create, NewKey(DEFAULT_TENANT, "deployment", ALL))[1]
            for each in (deployment, *deployment.others):
                each.http.headers.update(bearer(own))
            until(lambda: _asks(deployment), ASKS_WITHIN_S, "the worker to ask for keys")
        return database.write_sync(create, NewKey(tenant, "test", scopes, **limits))[1]
    finally:
        database.close()


def database_of(deployment: Deployment) -> Database:
    """Its store; close it."""
    url = deployment.environment.get("STREAMAPP_DATABASE_URL") or f"sqlite:///{deployment.home / 'streamapp.db'}"
    return Database(url.replace("postgresql://", "postgresql+psycopg://", 1))


def _asks(deployment: Deployment) -> bool:
    return httpx.get(f"{deployment.url}/v1/tasks", trust_env=False).status_code == 401
