"""The pages that show search spaces. Their scripts ask the API for what they show: compiling may take a while."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from graphs.search_spaces import READY, ready_space
from service.routes._page import Page, page
from service.routes.targets import describe_all
from service.state import CurrentService

router = APIRouter(include_in_schema=False, route_class=Page)

#: Spaces that were sent, of which the newest are shown.
_SENT = 100


@router.get("/search-spaces")
def search_spaces(request: Request, service: CurrentService) -> Response:
    """Ready spaces, and those that were sent."""
    snapshot = service.engine.catalogue.snapshot()
    targets, promoted = describe_all(snapshot), bool(snapshot.promotions)
    ready, sent = [ready_space(name) for name in READY], service.engine.library.newest(_SENT)
    return page(request, "search_spaces.html", "spaces", targets=targets, promoted=promoted, ready=ready, sent=sent)


@router.get("/search-spaces/{space}")
def search_space(
    request: Request,
    service: CurrentService,
    space: Annotated[str, Path(max_length=100)],
    target: Annotated[str, Query(description="Id or alias; empty for the first that can answer.")] = "",
) -> Response:
    """What every choice of a space costs, and how the latencies of its architectures are distributed."""
    snapshot = service.engine.catalogue.snapshot()
    targets = [t for t in describe_all(snapshot) if t.predictor]
    target = target or (targets[0].id if targets else "")  # references answer only who names them
    return page(
        request, "search_space.html", "spaces", space=space, target=target, targets=targets,
        promoted=bool(snapshot.promotions),
    )  # fmt: skip
