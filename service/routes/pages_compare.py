"""The page that compares predictions. All that it shows is in its address, which can be shared."""

from __future__ import annotations

from itertools import zip_longest
from typing import Annotated
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from service.db import Predictions
from service.errors import InvalidRequest
from service.routes._page import Page, page
from service.routes.pages import aliases, download, form
from service.state import CurrentService, Service
from service.ui.budgets import Budget
from service.ui.comparisons import Model, compare, number
from service.ui.spreadsheets import summary_csv

router = APIRouter(include_in_schema=False, route_class=Page)

#: Predictions on one page.
_MOST = 100

_Ids = Annotated[list[str] | None, Query(description="Ids of stored predictions.")]
_Values = Annotated[list[str] | None, Query(description="The user's number for each of them, or blank.")]


@router.get("/compare")
def comparison(
    request: Request,
    service: CurrentService,
    p: _Ids = None,
    v: _Values = None,
    without: Annotated[str, Query(description="A prediction to leave out.")] = "",
) -> Response:
    """Stored predictions in a table and a chart, and the form that adds more."""
    if without:
        return RedirectResponse(_address(request, p or [], v or [], without), 303)
    models, lost = _models(service, p or [], v or [])
    compared = compare(models, request.query_params, aliases(service))
    points = [point.to_json(compared.x, compared.y) for point in compared.points]
    return page(
        request, "compare.html", "compare", models=models, lost=lost, comparison=compared, points=points,
        budget=Budget.of(request.query_params), **form(service),
    )  # fmt: skip


@router.get("/compare.csv")
def comparison_csv(service: CurrentService, p: _Ids = None) -> Response:
    """A line per model and target."""
    models, _ = _models(service, p or [], [])
    text = summary_csv([model.answer for model in models])
    return download(text.encode(), "text/csv; charset=utf-8", "comparison.csv")


def _address(request: Request, ids: list[str], values: list[str], without: str) -> str:
    """The page's address without one of its predictions."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key not in ("p", "v", "without")]
    for i, value in zip_longest(ids, values[: len(ids)], fillvalue=""):
        kept += [("p", i), ("v", value)] if i != without else []
    return f"/compare?{urlencode(kept)}"


def _models(service: Service, ids: list[str], values: list[str]) -> tuple[list[Model], int]:
    """The predictions that are still stored, each once, and how many are not."""
    if len(ids) > _MOST:
        raise InvalidRequest(f"at most {_MOST} predictions can be compared", [("query.p", f"{len(ids)} were given")])
    given = dict(reversed([(i, v) for i, v in zip_longest(ids, values[: len(ids)], fillvalue="")]))
    with service.store.database.read() as session:
        records = {i: Predictions(session).get(i) for i in dict.fromkeys(ids)}
    models = [Model(i, orjson.loads(r.answer), number(given[i])) for i, r in records.items() if r is not None]
    return models, len(records) - len(models)
