"""The pages for one architecture: ask for a prediction at the root, and see it."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from graphs.light_models import light_models
from service.routes._page import Page, base_url, page
from service.routes.predictions import stored
from service.routes.targets import describe_all
from service.state import CurrentService, Service
from service.ui import commands
from service.ui.breakdowns import SHOWN, breakdown
from service.ui.budgets import Budget
from service.ui.results import headline, rows
from service.ui.spreadsheets import kernels_csv

router = APIRouter(include_in_schema=False, route_class=Page)


@router.get("/")
def index(request: Request, service: CurrentService) -> Response:
    """The form that asks for a prediction, or what to do until that is possible."""
    return page(request, "predict.html", "predict", **form(service))


@router.get("/predictions/{prediction_id}")
def prediction(
    request: Request,
    service: CurrentService,
    prediction_id: str,
    target: Annotated[str | None, Query(description="Whose kernels are shown.")] = None,
    kernels: Annotated[str, Query(description="`all` lists every kernel.")] = "",
) -> Response:
    """A stored prediction; the address can be shared."""
    record = stored(service, prediction_id)
    answer = orjson.loads(record.answer)
    budget = Budget.of(request.query_params)
    found = rows(answer, budget, aliases(service))
    shown = next((row for row in found if row.target == target), found[0])
    return page(
        request, "prediction.html", "predict", id=record.id, name=answer["name"],
        created_at=record.created_at.isoformat(), request=record.request, budget=budget, rows=found,
        headline=headline(found, budget), shown=shown,
        breakdown=breakdown(shown.prediction, None if kernels == "all" else SHOWN), all_kernels=kernels == "all",
        curl=commands.curl(record.request, answer["name"], base_url(request)),
        python=commands.python(record.request, answer["name"], base_url(request)),
    )  # fmt: skip


@router.get("/predictions/{prediction_id}/kernels.csv")
def prediction_csv(service: CurrentService, prediction_id: str) -> Response:
    """The kernels of a stored prediction, or a line per target where it has none."""
    text = kernels_csv(orjson.loads(stored(service, prediction_id).answer))
    return download(text.encode(), "text/csv; charset=utf-8", f"prediction-{prediction_id}.csv")


@router.get("/predictions/{prediction_id}/prediction.json")
def prediction_json(service: CurrentService, prediction_id: str) -> Response:
    """The answer as it was given."""
    return download(stored(service, prediction_id).answer, "application/json", f"prediction-{prediction_id}.json")


@router.get("/examples/{name}")
def example(name: Annotated[str, Path(max_length=100)]) -> Response:
    """An ONNX file that the page offers."""
    file = light_models().get(name)
    if file is None:
        raise HTTPException(404)
    return FileResponse(file, media_type="application/octet-stream")


def form(service: Service) -> dict[str, Any]:
    """What the form for predictions needs."""
    return {
        "targets": describe_all(service.engine.catalogue.snapshot()),
        "examples": sorted(light_models()),
        "body_limit": service.settings.max_body_bytes,
    }


def aliases(service: Service) -> dict[str, tuple[str, ...]]:
    """Target id → names that users gave it."""
    return {target.id: target.aliases for target in service.engine.catalogue.snapshot().targets}


def download(content: bytes, media_type: str, name: str) -> Response:
    """A response that browsers save."""
    return Response(content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=media_type)
