"""Logging in with a browser: the page takes a key, and gives a cookie that stands for it for half a day."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from streamapp.intake.access import COOKIE
from streamapp.intake.keyring import LOGIN_S, Keyring
from streamapp.intake.pace import read_whole
from streamapp.intake.refusal import Refused
from streamapp.intake.sites import refuse_other_sites
from streamapp.ui.pages import Pages
from streamapp.ui.views import html

__all__ = ["LoginViews"]

LONGEST_FORM = 8192
FIELDS = 8


@dataclass(frozen=True, slots=True)
class LoginViews:
    """The handlers, and what they call. `link_base` is how users reach the pages."""

    keyring: Keyring
    pages: Pages
    link_base: str

    async def show(self, request: web.Request) -> web.Response:
        """GET /login: the form; to whoever is logged in, as whom; and on to the jobs where no key is asked for."""
        if not self.keyring.required:
            raise web.HTTPSeeOther("/")
        login = request.cookies.get(COOKIE)
        caller = await self.keyring.find(login, login=True) if login else None
        return html(self.pages.login("/", caller=caller))

    async def log_in(self, request: web.Request) -> web.Response:
        """POST /login: the cookie, if the key is one, and on to the page that was asked for."""
        refuse_other_sites(request, self.link_base)
        form = await _form(request)
        key, after = form.get("key", "").strip(), _own(form.get("next", "/"))
        login = await self.keyring.log_in(key)
        if login is None:
            problem = Refused(401, "This API key is not known, or it was revoked or has expired.").problem
            return html(self.pages.login(after, problem=problem), 401)
        response = web.HTTPSeeOther(after)
        secure = self.link_base.startswith("https:")
        response.set_cookie(COOKIE, login, max_age=int(LOGIN_S), httponly=True, samesite="Strict", secure=secure)
        raise response

    async def log_out(self, request: web.Request) -> web.Response:
        """POST /logout: the login ends, also for whoever else has the cookie."""
        refuse_other_sites(request, self.link_base)
        await self.keyring.log_out(request.cookies.get(COOKIE, ""))
        response = web.HTTPSeeOther("/login")
        response.del_cookie(COOKIE, httponly=True, samesite="Strict")
        raise response


async def _form(request: web.Request) -> dict[str, str]:
    """Who has no key yet sends no more than a form with one, in UTF-8 and uncompressed. Raises `Refused`."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(415, "Send the form as the login page does.", field="Content-Type")
    if request.content_length is None or request.content_length > LONGEST_FORM:
        raise Refused(413, f"The login form has {LONGEST_FORM} bytes at most.", field="body")
    if "Content-Encoding" in request.headers:
        raise Refused(415, "Send the form uncompressed.", field="Content-Encoding")
    text = (await read_whole(request)).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError as error:
        raise Refused(422, "The login form has the fields key and next.", field="body") from error


def _own(path: str) -> str:
    """The path, if it is one of this site's: browsers take //host and /\\host for another's."""
    return path if path.isprintable() and path.startswith("/") and path[1:2] not in ("/", "\\") else "/"
