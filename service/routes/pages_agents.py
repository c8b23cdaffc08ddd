"""The page that shows agents, as they are now."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from service.auth import CurrentPrincipal
from service.routes._events import live_view
from service.routes._page import Page, base_url, page
from service.routes.pages import aliases
from service.state import CurrentService, Service
from service.ui import fragment
from service.ui.activity import agent_rows, failures, rate_per_minute, title

router = APIRouter(include_in_schema=False, route_class=Page)

#: Agents on one page.
_MOST = 200


@router.get("/agents")
def agents(request: Request, service: CurrentService, principal: CurrentPrincipal) -> Response:
    """Who is on, what it measures, and how another device becomes one of them."""
    return page(
        request, "agents.html", "agents", url=base_url(request), may_invite=principal.may("admin"),
        **_values(service),
    )  # fmt: skip


@router.get("/agents/live")
def live_agents(service: CurrentService) -> StreamingResponse:
    """The changing part of the page, as long as somebody looks."""
    return live_view(service, lambda: (False, fragment("_agents.html", **_values(service))))


def _values(service: Service) -> dict[str, Any]:
    sight = service.watch.now()
    rows = agent_rows(sight, service.settings.lease_ttl_s)
    worked_on = {work.record.campaign_id for work in sight.work.values()}
    campaigns = {i: record for i in worked_on if (record := service.watch.campaign(i)) is not None}
    return {
        "rows": rows[:_MOST], "number": len(rows), "on": sum(row.on for row in rows),
        "measuring": sum(row.status == "measuring" for row in rows),
        "resting": sum(row.status == "resting" for row in rows),
        "per_minute": rate_per_minute(sight.lately, sight.at), "failures": failures(sight.lately),
        "titles": {i: title(record) for i, record in campaigns.items()}, "aliases": aliases(service),
    }  # fmt: skip
