"""What all pages have in common: errors are pages too, and who is signed in is told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from service.keys import Principal
from service.logs import log
from service.problems import problem_of
from service.ui import render


class Page(APIRoute):
    """A route whose problems are told in HTML. Pass as ``route_class`` of a router."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_explain(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                return explain(request, error)

        return handle_or_explain


def page(request: Request, template: str, here: str, /, **values: object) -> Response:
    """A template as a page; ``here`` is its entry in the bar at the top, which names who is signed in."""
    principal: Principal = request.state.principal
    return render(template, 200, here=here, key=principal.key, **values)


def signed_in(request: Request) -> bool:
    """Whether who asks showed a key, so that commands to copy need one too."""
    principal: Principal = request.state.principal
    return principal.key is not None


def explain(request: Request, error: Exception) -> Response:
    """The page for an error; who has to sign in is asked to, and led back."""
    problem = problem_of(error, request.url.path)
    if problem.status == 401 and request.method == "GET":
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/sign-in?" + urlencode({"next": path}), 303)
    if problem.status == 500:
        log.error("unforeseen error", exc_info=error)
    return render("error.html", problem.status, here="", problem=problem)


def base_url(request: Request) -> str:
    """Where the service was reached, for commands to copy."""
    return str(request.base_url).rstrip("/")
