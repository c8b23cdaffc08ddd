"""Who may ask for what.

`authenticate` runs before every endpoint and fails closed: what is not listed in `PUBLIC` wants the scope ``predict``,
and endpoints that want another one say so with `requires`. Where no key was ever made, everybody may do everything, but
on this machine only: requests must have come in on a loopback address under a loopback name, which also keeps pages of
other sites from reaching the service through the browser of somebody on this machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from service.errors import Forbidden
from service.keys import Principal
from service.state import Service

#: What everybody may see: whether the service lives, its metrics, its documentation and the files of its pages.
PUBLIC = ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/static", "/sign-in")
#: Browsers keep the key of who signed in here.
COOKIE = "archgauge_key"

#: The scope of an endpoint that finds out by itself who asks, because a one-time token in the body may say so.
BY_ITSELF = "by itself"

_ATTRIBUTE = "__archgauge_scope__"
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., object])


def requires(scope: str) -> Callable[[_Endpoint], _Endpoint]:
    """Marks an endpoint that wants more than ``predict``: ``@requires("admin")`` below the route's decorator.

    Its description, which is the docstring, says so too.
    """

    def mark(endpoint: _Endpoint) -> _Endpoint:
        setattr(endpoint, _ATTRIBUTE, scope)
        needs = (
            "a one-time token, or a key with the scope `agent`"
            if scope == BY_ITSELF
            else f"a key with the scope `{scope}`"
        )
        endpoint.__doc__ = f"{endpoint.__doc__}\n\nNeeds {needs}."
        return endpoint

    return mark


def scope_of(endpoint: object) -> str:
    """The scope that an endpoint wants."""
    return str(getattr(endpoint, _ATTRIBUTE, "predict"))


def is_public(path: str) -> bool:
    """Whether a path needs no key."""
    return any(path == public or path.startswith(f"{public}/") for public in PUBLIC)


async def authenticate(request: Request) -> None:
    """Find out who asks, leave it in ``request.state.principal``, and refuse who may not.

    Raises:
        NotAuthenticated: no key, or none that is valid.
        Forbidden: the key lacks the endpoint's scope; there are no keys and the request is not from this machine;
            a page of another site made the browser send it.
    """
    if is_public(request.url.path):
        return
    scope = scope_of(request.scope.get("endpoint"))
    if scope != BY_ITSELF:
        await identify(request, scope)


async def identify(request: Request, scope: str) -> Principal:
    """Who asks, if they may; raises as `authenticate` does."""
    service: Service = request.app.state.service
    bearer = _bearer(request)
    principal = await service.keys.check(request.cookies.get(COOKIE) if bearer is None else bearer)
    if bearer is None:
        refuse_other_sites(request)
    if principal is None:
        if not (service.settings.allow_without_keys or _is_local(request)):
            raise Forbidden(
                "this service has no API keys and answers this machine only; make one with `archgauge keys create`"
            )
        principal = Principal(None)
    request.state.principal = principal
    if not principal.may(scope):
        raise Forbidden(f"the API key {principal.id} does not have the scope {scope!r}")
    return principal


def current_principal(request: Request) -> Principal:
    """Who asks, after `authenticate`."""
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def _bearer(request: Request) -> str | None:
    """The token of the header ``Authorization: Bearer …`` (RFC 6750)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def refuse_other_sites(request: Request) -> None:
    """A browser sends a cookie, or reaches a service without keys, for whatever page it shows; it tells which one.

    What changes something must come from a page of ours, or from no page at all.

    Raises:
        Forbidden: it does not.
    """
    origin = request.headers.get("origin")
    if origin is None or request.method in ("GET", "HEAD"):
        return
    if origin.partition("://")[2] != request.headers.get("host"):
        raise Forbidden("pages of other sites cannot change anything here; use an API key as bearer token")


def _is_local(request: Request) -> bool:
    server = request.scope.get("server")
    addresses = [host for host in (server[0] if server else None, request.url.hostname) if host is not None]
    return bool(addresses) and all(is_loopback(host) for host in addresses)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine, to everybody."""
    if host.rstrip(".").lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False
