"""Signing in with an API key, for browsers: the key becomes a cookie that scripts cannot read."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from service.auth import COOKIE, refuse_other_sites
from service.errors import NotAuthenticated, SlowBody
from service.routes._page import Page
from service.state import CurrentService
from service.ui import render

router = APIRouter(include_in_schema=False, route_class=Page)


@router.get("/sign-in")
def form(next: str = "/") -> Response:
    """Asks for a key."""
    return _form(next)


@router.post("/sign-in")
async def sign_in(request: Request, service: CurrentService) -> Response:
    """Check the key and keep it in a cookie, until the browser is closed.

    The cookie comes along when a link from elsewhere is followed (``SameSite=Lax``), so that shared addresses work;
    what changes something is protected by `service.auth`.
    """
    refuse_other_sites(request)
    fields = parse_qs(await _body(request, service.settings.request_time_limit_s))
    token, to = (fields.get(name, [""])[0].strip() for name in ("key", "next"))
    try:
        await service.keys.check(token)
    except NotAuthenticated as error:
        return _form(to, str(error), 401)
    response = RedirectResponse(_ours(to), 303)
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return response


@router.post("/sign-in/out")
def sign_out(request: Request) -> Response:
    """Forget the key."""
    refuse_other_sites(request)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return response


async def _body(request: Request, limit_s: float) -> str:
    try:
        async with asyncio.timeout(limit_s):
            return (await request.body()).decode("utf-8", "replace")
    except TimeoutError:
        raise SlowBody(f"the form did not arrive within {limit_s:g} s") from None


def _form(to: str, wrong: str = "", status: int = 200) -> Response:
    return render("sign_in.html", status, here="", next=_ours(to), wrong=wrong)


def _ours(address: str) -> str:
    """An address of this service; the start for any other."""
    plain = address.isprintable() and address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain else "/"
