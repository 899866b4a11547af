"""Who may: the middleware that finds a request's caller by its key, and refuses what the key is not for.

Programs send ``Authorization: Bearer KEY`` (RFC 6750); browsers send the cookie of their login. What a route needs is
declared with it; one that declares nothing is the operators', so that what is forgotten is closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Literal, TypeAlias, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from streamapp.intake.asked import Asked
from streamapp.intake.caller import CALLER, LEFT, Caller, Scope
from streamapp.intake.keyring import Keyring
from streamapp.intake.limits import Limits
from streamapp.intake.local import refuse_elsewhere
from streamapp.intake.refusal import Refused
from streamapp.intake.sites import refuse_other_sites

__all__ = ["COOKIE", "Need", "Needs", "access", "guarded"]

COOKIE = "streamapp_login"
REALM = 'Bearer realm="streamapp"'
TWICE = "bearer bearer "
SAID_TWICE = "The word Bearer is there twice: a key is what stands behind it."
NOT_KNOWN = "This API key is not known, or it was revoked or has expired."
SAFE = ("GET", "HEAD", "OPTIONS")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

A = TypeVar("A", bound=Asked)
Answer = TypeVar("Answer", bound=web.StreamResponse)

Need: TypeAlias = Scope | Literal["nothing", "key", "operator"]
"""A scope; or nothing, not even a key; or a key of whatever scope; or an admin key of the default tenant."""

Needs: TypeAlias = Mapping[tuple[str, str], Need]
"""What each path, as it was registered, and method needs."""


def access(
    keyring: Keyring,
    limits: Limits,
    needs: Needs,
    sends: Collection[tuple[str, str]],
    link_base: str,
    origins: Collection[str] | None = None,
) -> Middleware:
    """The middleware. `sends`: the paths and methods that take new jobs; `link_base`: how users reach the pages.

    `origins`: where no key is asked for, browsers may call from those alone; None: from anywhere, and anyone may.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        need = _need(request, needs)
        if need == "nothing":
            return await handler(request)
        if not keyring.required:
            if origins is not None:
                refuse_elsewhere(request, link_base, origins)
            return await handler(request)
        return await guarded(request, handler, need, _route(request) in sends, keyring, limits, link_base)

    return middleware


async def guarded(
    request: A,
    handler: Callable[[A], Awaitable[Answer]],
    need: Need,
    sends: bool,
    keyring: Keyring,
    limits: Limits,
    link_base: str,
) -> Answer:
    """What the handler answers to a caller who may, with what is left of its limits. Raises `Refused` for any other.

    `sends`: it takes a new job.
    """
    request[CALLER] = caller = await _caller(request, keyring, link_base)
    request[LEFT] = left = limits.take(caller)
    _check(caller, need)
    if sends and caller.active_jobs is not None:
        async with limits.room(caller, request):
            response = await handler(request)
    else:
        response = await handler(request)
    if left and not response.prepared:
        response.headers.update(left)
    return response


def _route(request: web.Request) -> tuple[str, str]:
    """The path as it was registered, and the method, HEAD as GET."""
    resource = request.match_info.route.resource
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    return resource.canonical if resource is not None else "", method


def _need(request: web.Request, needs: Needs) -> Need:
    if request.match_info.http_exception is not None:
        return "key"  # there is nothing here, or not with this method
    if request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
        return "nothing"  # browsers ask before they send a key (Fetch, 4.8, CORS-preflight fetch)
    return needs.get(_route(request), "operator")


async def _caller(request: Asked, keyring: Keyring, link_base: str) -> Caller:
    header = request.headers.get(hdrs.AUTHORIZATION)
    login = request.cookies.get(COOKIE) if header is None else None
    if header is not None:
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer":
            raise _unknown("Send the API key as `Authorization: Bearer KEY`.")
        caller = await keyring.find(key.strip())
    elif login is not None:
        caller = await keyring.find(login, login=True)
        if request.method not in SAFE:  # a cookie is sent by itself, whoever wrote the form
            refuse_other_sites(request, link_base)
    else:
        raise _unknown("An API key is needed: send it as `Authorization: Bearer KEY`.")
    if caller is None:
        twice = header is not None and header.lower().startswith(TWICE)
        raise _unknown(SAID_TWICE if twice else NOT_KNOWN, ', error="invalid_token"')
    return caller


def _check(caller: Caller, need: Need) -> None:
    if need in ("nothing", "key") or need in caller.scopes or (need == "operator" and caller.is_operator):
        return
    scope = "admin" if need == "operator" else need
    detail = f"This key lacks the scope {scope}."
    if scope in caller.scopes:
        detail = "Only a key of the operators may do that: one of the tenant default with the scope admin."
    challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
    raise Refused(403, detail, headers={hdrs.WWW_AUTHENTICATE: challenge})


def _unknown(detail: str, error: str = "") -> Refused:
    return Refused(401, detail, headers={hdrs.WWW_AUTHENTICATE: REALM + error})
