"""Errors as RFC 9457 problem documents: one shape for all, and one table from exception to status.

A problem's ``type`` is ``urn:archgauge:problem:<slug>``. Attributes of the exception that say more (which operators,
which dimension, what is known) become members of the document. What is not in the table is a defect: it is logged with
its trace and answered with 500 and nothing of its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from archgauge_client.wire import PROBLEM_TYPE_PREFIX, FieldError, Problem
from graphs.errors import (
    GraphError,
    InvalidChoices,
    InvalidGraph,
    InvalidSearchSpace,
    MissingValue,
    UnboundDimension,
    UnsupportedOperator,
)
from predictors.errors import NoLookupTable, PredictorError, UnpriceableKernels
from service import errors
from service.logs import log, request_id

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """How a class of exceptions is answered."""

    status: int
    slug: str
    title: str
    #: What strangers are told where the exception's own text is for the log, since it names files of the server.
    detail: str | None = None


_DAMAGED = Kind(
    503, "predictor-unavailable", "The predictor cannot answer",
    "its files are missing, damaged or of another version of ArchGauge; the server's log has the details",
)  # fmt: skip

#: Subclasses that are not listed are answered like their nearest base class.
TABLE: Mapping[type[BaseException], Kind] = {
    GraphError: Kind(422, "invalid-graph", "The architecture cannot be used"),
    InvalidGraph: Kind(422, "invalid-graph", "The architecture contradicts itself or the ONNX standard"),
    UnboundDimension: Kind(422, "unbound-dimension", "A dimension of the architecture is not bound"),
    UnsupportedOperator: Kind(422, "unsupported-operator", "The architecture has operators that nobody knows"),
    MissingValue: Kind(422, "missing-value", "A constant decides a shape, but its value is not in the file"),
    InvalidSearchSpace: Kind(422, "invalid-search-space", "The search space contradicts itself"),
    InvalidChoices: Kind(422, "invalid-choices", "The choices name no architecture of the search space"),
    NoLookupTable: Kind(422, "no-lookup-table", "The search space has no lookup table"),
    UnpriceableKernels: Kind(422, "unpriceable-kernels", "No source can price some of the operators"),
    PredictorError: _DAMAGED,
    errors.UnknownTarget: Kind(404, "unknown-target", "There is no such target"),
    errors.UnknownPredictor: Kind(404, "unknown-predictor", "There is no such predictor"),
    errors.UnknownTable: Kind(404, "unknown-lookup-table", "There is no such lookup table"),
    errors.UnknownSearchSpace: Kind(404, "unknown-search-space", "There is no such search space"),
    errors.CompilationFailed: Kind(422, "compilation-failed", "The search space cannot be compiled"),
    errors.NotCompiled: Kind(503, "not-compiled", "The search space is being compiled"),
    errors.UnknownPrediction: Kind(404, "unknown-prediction", "There is no such prediction"),
    errors.UnknownKey: Kind(404, "unknown-key", "There is no such API key"),
    errors.UnknownJob: Kind(404, "unknown-job", "There is no such job"),
    errors.UnknownAgent: Kind(404, "unknown-agent", "There is no such agent"),
    errors.UnknownLease: Kind(404, "unknown-lease", "There is no such lease"),
    errors.UnknownCampaign: Kind(404, "unknown-campaign", "There is no such campaign"),
    errors.KeysNeeded: Kind(409, "keys-needed", "The service has no API keys yet"),
    errors.StaleFence: Kind(409, "stale-fence", "The task is somebody else's by now"),
    errors.NotAuthenticated: Kind(401, "not-authenticated", "An API key is needed"),
    errors.Forbidden: Kind(403, "forbidden", "This is not allowed"),
    errors.NoPredictor: Kind(409, "no-predictor", "Nothing can be predicted yet"),
    errors.NotPromotable: Kind(409, "not-promotable", "The predictor must not be promoted"),
    errors.AliasInUse: Kind(409, "alias-in-use", "The alias is taken"),
    errors.NothingBefore: Kind(409, "nothing-before", "There is no older predictor to go back to"),
    errors.LeaseLost: Kind(409, "lease-lost", "Somebody else decides about this now"),
    errors.StoreUnavailable: Kind(
        503,
        "store-unavailable",
        "The store of versions does not answer",
        "try again in a moment; the server's log has the details",
    ),
    errors.ContentConflict: Kind(409, "content-conflict", "Another content was sent under this name"),
    errors.DamagedArtifact: _DAMAGED,
    errors.InvalidRequest: Kind(422, "invalid-request", "The request is not what the endpoint asks for"),
    errors.MalformedJson: Kind(400, "malformed-json", "The body is not JSON"),
    errors.BodyTooLarge: Kind(413, "body-too-large", "The body is too large"),
    errors.GraphTooLarge: Kind(413, "graph-too-large", "The architecture has too many nodes"),
    errors.MalformedBody: Kind(400, "malformed-body", "The body cannot be decompressed"),
    errors.SlowBody: Kind(408, "slow-body", "The body did not arrive in time"),
    errors.UnsupportedMedia: Kind(
        415, "unsupported-media-type", "The body has a type or encoding that is not accepted"
    ),
    errors.Overloaded: Kind(503, "overloaded", "Too many requests are waiting"),
    errors.Stopping: Kind(503, "stopping", "The process is about to end"),
    errors.TooManyRequests: Kind(429, "too-many-requests", "Requests come faster than this client may send them"),
    errors.ClientGone: Kind(499, "client-gone", "The client closed the connection"),
    errors.TimeLimitExceeded: Kind(504, "time-limit", "The request took too long"),
    errors.OutdatedDatabase: Kind(503, "outdated-database", "The database has another schema"),
    errors.DatabaseUnavailable: Kind(
        503,
        "database-unavailable",
        "The database does not answer",
        "try again in a moment; the server's log has the details",
    ),
    errors.NotReady: Kind(503, "not-ready", "The service cannot answer now"),
}

_INTERNAL = Kind(500, "internal-error", "The service has a defect")
#: Attributes of exceptions that become members of the document.
_MEMBERS = ("operators", "dimension", "tensor", "known", "checks", "limit")
_RETRY_AFTER_S = {503: "1", 408: "1"}


def kind_of(error: BaseException) -> Kind | None:
    """The nearest entry of the table for an exception."""
    return next((TABLE[cls] for cls in type(error).__mro__ if cls in TABLE), None)


def problem_of(error: BaseException, instance: str | None = None) -> Problem:
    """The document for any exception."""
    kind = kind_of(error)
    detail = str(error) if kind is None or kind.detail is None else kind.detail
    if isinstance(error, HTTPException):
        slug = error.detail.lower().replace(" ", "-")
        kind, detail = Kind(error.status_code, slug, error.detail), _explain(error, instance)
    elif isinstance(error, RequestValidationError):
        kind, detail = TABLE[errors.InvalidRequest], "Parameters of the request are missing or wrong; see errors."
    elif kind is None:
        kind, detail = _INTERNAL, "This should not happen. The server's log has the trace under the request id."
    return Problem(
        type=PROBLEM_TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=detail or None,
        instance=instance,
        request_id=request_id.get() or None,
        errors=_field_errors(error),
        **_members(error),
    )


def problem_response(error: BaseException, instance: str | None = None) -> Response:
    """The document as a response; defects are logged."""
    problem = problem_of(error, instance)
    if problem.status == 500:
        log.error("unforeseen error", exc_info=error)
    elif problem.status > 500:
        log.warning("%s: %s", problem.title, error)
    headers = dict(getattr(error, "headers", None) or {})
    if problem.status in _RETRY_AFTER_S:
        headers["Retry-After"] = _RETRY_AFTER_S[problem.status]
    if (accept := getattr(error, "accept_encoding", None)) is not None:
        headers["Accept-Encoding"] = accept
    return Response(problem.model_dump_json(exclude_none=True), problem.status, headers, MEDIA_TYPE)


def install(app: FastAPI, routers: Sequence[APIRouter], page: Callable[[Request, Exception], Response]) -> None:
    """Answer with problem documents whatever an endpoint of the ``routers`` raises; browsers that ask for what is not
    there are answered with a ``page``.
    """

    def handler(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 404 and _in_browser(request):
            return page(request, error)
        if isinstance(error, HTTPException) and error.status_code == 405:
            error.headers = {"Allow": ", ".join(_methods(routers, request.scope))}
        return problem_response(error, request.url.path)

    for cls in (*TABLE, HTTPException, RequestValidationError):
        app.add_exception_handler(cls, handler)


def _in_browser(request: Request) -> bool:
    """Whether somebody follows a link or types an address, as opposed to a program that uses the API."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def _methods(routers: Sequence[APIRouter], scope: Scope) -> list[str]:
    """Which methods the path of a request takes: of endpoints with the same path, Starlette names the first one's."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return sorted({m for route in routes if route.matches(scope)[0] is not Match.NONE for m in route.methods or ()})


def _explain(error: HTTPException, instance: str | None) -> str:
    if error.status_code == 404:
        return f"There is nothing at {instance}; /docs lists what there is."
    if error.status_code == 405:
        return f"{instance} does not take this method; it takes {(error.headers or {}).get('Allow', 'others')}."
    return error.detail


def _field_errors(error: BaseException) -> list[FieldError] | None:
    if isinstance(error, errors.InvalidRequest):
        found = list(error.errors)
    elif isinstance(error, RequestValidationError):
        found = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]
    else:
        return None
    return [FieldError(location=location, message=message) for location, message in found] or None


def _members(error: BaseException) -> dict[str, Any]:
    members = {name: getattr(error, name, None) for name in _MEMBERS}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in members.items() if v not in (None, ())}
