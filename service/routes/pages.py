"""The pages for one architecture: ask for a prediction at the root, and see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from graphs.light_models import light_models
from service.routes._page import Page, base_url, page, signed_in
from service.routes.predictions import stored
from service.routes.targets import describe_all
from service.state import CurrentService, Service
from service.ui import commands
from service.ui.breakdowns import PER_PAGE, breakdown
from service.ui.budgets import Budget
from service.ui.memory import course
from service.ui.results import headline, rows
from service.ui.rooflines import Roofs, roofline, roofs
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
    kernels: Annotated[int | None, Query(ge=1, description="A page of all kernels, instead of the slowest.")] = None,
) -> Response:
    """A stored prediction; the address can be shared."""
    record = stored(service, prediction_id)
    answer = orjson.loads(record.answer)
    budget = Budget.of(request.query_params)
    found = rows(answer, budget, aliases(service))
    shown = next((row for row in found if row.target == target), found[0])
    found_roofs = _roofs(service, shown.prediction)
    parts = breakdown(shown.prediction, kernels, found_roofs)
    with_key = signed_in(request)
    return page(
        request, "prediction.html", "predict", id=record.id, name=answer["name"],
        created_at=record.created_at.isoformat(), request=record.request, budget=budget, rows=found,
        headline=headline(found, budget), shown=shown, breakdown=parts,
        listed=parts and kernels and min(kernels, parts.pages), per_page=PER_PAGE,
        rest=f"{urlencode({'target': shown.target})}&{budget.query}".removesuffix("&"),
        roofs=found_roofs, course=course(shown.prediction),
        curl=commands.curl(record.request, answer["name"], base_url(request), with_key=with_key),
        python=commands.python(record.request, answer["name"], base_url(request), with_key=with_key),
        body_limit=service.settings.max_body_bytes,
    )  # fmt: skip


@router.get("/predictions/{prediction_id}/charts")
def prediction_charts(service: CurrentService, prediction_id: str, target: str) -> Response:
    """What the charts of a stored prediction draw for one of its targets."""
    answer = orjson.loads(stored(service, prediction_id).answer)
    shown = next((p for p in answer["predictions"] if p["target"] == target), None)
    found = shown and _roofs(service, shown)
    if shown is None or found is None:
        raise HTTPException(404)
    moments = course(shown)
    data = {"roofline": roofline(shown, found), "memory": moments and moments.to_json()}
    return Response(orjson.dumps(data), media_type="application/json")


def _roofs(service: Service, prediction: Mapping[str, Any]) -> Roofs | None:
    """With the peak rates that were measured with the table from which the prediction comes."""
    known = service.store.references.find(prediction["target"])
    tables = [*service.store.tables(prediction["target"]), *([known.table] if known is not None else [])]
    tables = [table for table in tables if table.version in prediction["provenance"]["tables"]]
    peaks = ((table.manifest.get("report") or {}).get("peaks") for table in tables)
    return roofs(prediction, next((found for found in peaks if isinstance(found, Mapping)), None))


@router.get("/predictions/{prediction_id}/kernels.csv")
def prediction_csv(service: CurrentService, prediction_id: str) -> Response:
    """The kernels of a stored prediction, or a line per target where it has none."""
    answer = orjson.loads(stored(service, prediction_id).answer)
    return download(kernels_csv(answer).encode(), "text/csv; charset=utf-8", f"{file_name(answer['name'])}.csv")


@router.get("/predictions/{prediction_id}/prediction.json")
def prediction_json(service: CurrentService, prediction_id: str) -> Response:
    """The answer as it was given."""
    answer = stored(service, prediction_id).answer
    return download(answer, "application/json", f"{file_name(orjson.loads(answer)['name'])}.json")


@router.get("/examples/{name}")
def example(name: Annotated[str, Path(max_length=100)]) -> Response:
    """An ONNX file that the page offers."""
    file = light_models().get(name)
    if file is None:
        raise HTTPException(404)
    return FileResponse(file, media_type="application/octet-stream")


def form(service: Service) -> dict[str, Any]:
    """What the form for predictions needs."""
    snapshot = service.engine.catalogue.snapshot()
    return {
        "targets": describe_all(snapshot),
        "promoted": bool(snapshot.promotions),
        "examples": sorted(light_models()),
        "body_limit": service.settings.max_body_bytes,
    }


def aliases(service: Service) -> dict[str, tuple[str, ...]]:
    """Target id → names that users gave it."""
    return {target.id: target.aliases for target in service.engine.catalogue.snapshot().targets}


def file_name(name: str) -> str:
    """For a file about an architecture of that name, without a suffix; of what is safe everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(".onnx"))[:80].strip("-.") + "-prediction"


def download(content: bytes, media_type: str, name: str) -> Response:
    """A response that browsers save."""
    return Response(content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=media_type)
