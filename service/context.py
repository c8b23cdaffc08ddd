"""What surrounds every request: its id, its line in the log, headers for browsers, and the last resort for defects."""

from __future__ import annotations

import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.ids import new_id
from service.logs import log, request_id
from service.metrics import Metrics
from service.problems import problem_response

#: Nothing but our own files runs or is shown; nobody may frame us.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """ASGI middleware, the outermost. A request id sent as X-Request-ID is taken over if it is a plain word."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        current = given if _ACCEPTED_ID.fullmatch(given) else new_id()
        token = request_id.set(current)
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = current
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if status:  # too late for another answer; the broken connection tells the client
                log.exception("error after the response began")
                raise
            await problem_response(error, scope["path"])(scope, receive, send_with_headers)
        finally:
            duration_s = time.perf_counter() - started
            # Routes, not paths: anybody can make up paths.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.request(scope["method"] if status != 405 else "other", route, status, duration_s)
            fields = {
                "method": scope["method"], "path": scope["path"], "status": status,
                "duration_ms": round(1e3 * duration_s, 2),
            }  # fmt: skip
            if (principal := scope.get("state", {}).get("principal")) is not None:
                fields["key"] = principal.id
            log.info("request", extra={"fields": fields})
            request_id.reset(token)
