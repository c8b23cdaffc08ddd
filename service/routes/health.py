"""Whether the process lives, and whether it can answer."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from archgauge_client.wire import Health
from service import examples
from service.db import HEAD, Jobs, current_revision
from service.errors import DatabaseUnavailable, NotReady, OutdatedDatabase
from service.logs import log
from service.openapi import answer, problem_responses
from service.problems import problem_of
from service.state import CurrentService, Service

router = APIRouter(tags=["operations"])


@router.get(
    "/healthz",
    summary="Is the process alive?",
    operation_id="healthz",
    responses=answer("It lives", {"status": "ok", "checks": {}}),
)
async def healthz() -> Health:
    """Answers as long as the event loop turns."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can the service answer?",
    operation_id="readyz",
    responses=answer("It can", examples.READY) | problem_responses(503),
)
def readyz(service: CurrentService) -> Health:
    """200 when the database answers, its migrations are current, a predictor is loaded and the process will stay; else
    503 with reasons.
    """
    checks = {
        "process": "about to end" if service.stopping.asked else "ok",
        "database": _check(service.store.database.ping),
        "migrations": _check(lambda: _migrations(service)),
        "predictor": _check(service.engine.warm_up),
    }
    if any(result != "ok" for result in checks.values()):
        raise NotReady("; ".join(f"{name}: {text}" for name, text in checks.items() if text != "ok"), checks)
    if refused := service.engine.catalogue.refused:
        checks["promotions"] = "; ".join(refused.values())  # it can answer, as before the promotion
    return Health(status="ready", checks=checks)


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    operation_id="metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
def metrics(service: CurrentService) -> Response:
    """Requests, latencies of requests and of the stages of predictions, memory hits, coverage by source, queues."""
    text = service.metrics.text()
    try:
        with service.store.database.read() as session:
            text += service.metrics.jobs_text(Jobs(session).count())
    except DatabaseUnavailable as error:  # the other numbers are needed most just then
        log.warning("jobs could not be counted: %s", error)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _check(probe: Callable[[], object]) -> str:
    """``ok``, or what is wrong as far as strangers may know; the rest is logged."""
    try:
        probe()
    except Exception as error:
        problem = problem_of(error)
        log.warning("not ready: %s", error, exc_info=error if problem.status == 500 else None)
        if problem.status == 500:
            return f"failed ({type(error).__name__}); the log has the details"
        return problem.detail or problem.title
    return "ok"


def _migrations(service: Service) -> None:
    current = current_revision(service.store.database)
    if current != HEAD:
        raise OutdatedDatabase(f"the database is at revision {current}, not {HEAD}; run `archgauge db upgrade`")
