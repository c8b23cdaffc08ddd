"""The page at the root: what this service can predict, and how well."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.routes.targets import describe_all
from service.state import CurrentService
from service.ui import render

router = APIRouter(include_in_schema=False)


@router.get("/")
def index(request: Request, service: CurrentService) -> Response:
    """Targets with their accuracy."""
    targets = describe_all(service.engine.catalogue.snapshot())
    return render("index.html", targets=targets, base_url=str(request.base_url).rstrip("/"))
