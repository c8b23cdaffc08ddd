"""The pages that show campaigns, as they are now, and start them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Request
from starlette.responses import Response, StreamingResponse

from archgauge_client.wire_agents import CampaignRequest
from graphs.search_spaces import READY
from service.agents.watching import Sight
from service.auth import CurrentPrincipal
from service.db import Activity, CampaignRecord, JobRecord, Jobs, Tasks
from service.db.campaigns import FINAL, WORKED_ON
from service.errors import UnknownCampaign
from service.routes._events import live_view
from service.routes._page import Page, base_url, page
from service.routes.pages import aliases
from service.state import CurrentService, Service
from service.ui import fragment
from service.ui.activity import CampaignRow, agent_rows, campaign_row

router = APIRouter(include_in_schema=False, route_class=Page)

#: Campaigns and lines of a log on one page, and search spaces and kernel kinds that can be chosen.
_MOST, _MOST_LINES, _MOST_SPACES, _MOST_KINDS = 50, 30, 100, 60

#: What a campaign may measure in.
_PRECISIONS = get_args(get_args(CampaignRequest.model_fields["precisions"].annotation)[0])

_Id = Annotated[str, Path(max_length=100)]


@router.get("/campaigns")
def campaigns(request: Request, service: CurrentService, principal: CurrentPrincipal) -> Response:
    """The newest campaigns, and a form that starts another one."""
    may_start = principal.may("admin")
    return page(
        request, "campaigns.html", "campaigns", **_list(service, may_start), **(_form(service) if may_start else {})
    )


@router.get("/campaigns/live")
def live_campaigns(service: CurrentService, principal: CurrentPrincipal) -> StreamingResponse:
    """The changing part of the list."""
    may_change = principal.may("admin")
    return live_view(service, lambda: (False, fragment("_campaigns.html", **_list(service, may_change))))


@router.get("/campaigns/{campaign_id}")
def campaign(
    request: Request, service: CurrentService, principal: CurrentPrincipal, campaign_id: _Id
) -> Response:  # fmt: skip
    """How far a campaign is, who works on it, what failed, and what came of it."""
    values = _one(service, campaign_id, principal.may("admin"))
    return page(request, "campaign.html", "campaigns", url=base_url(request), **values)


@router.get("/campaigns/{campaign_id}/live")
def live_campaign(service: CurrentService, principal: CurrentPrincipal, campaign_id: _Id) -> StreamingResponse:
    """The changing part of its page, until the campaign is over."""
    may_change = principal.may("admin")
    _one(service, campaign_id, may_change)  # raises before the stream begins where there is nothing to follow

    def view() -> tuple[bool, str]:
        values = _one(service, campaign_id, may_change)
        return values["row"].over, fragment("_campaign.html", **values)

    return live_view(service, view)


def _list(service: Service, may_change: bool) -> dict[str, Any]:
    records = service.watch.campaigns(_MOST + 1)
    sight = service.watch.now()
    rows = [_row(service, record, sight) for record in records[:_MOST]]
    return {"rows": rows, "more": len(records) > _MOST, "aliases": aliases(service), "may_change": may_change}


def _row(service: Service, record: CampaignRecord, sight: Sight) -> CampaignRow:
    """A campaign that is over needs nothing more."""
    if record.state in FINAL:
        return campaign_row(record, {}, sight)
    with service.store.database.read() as session:
        job = _job(session, record)
        return campaign_row(record, Tasks(session).count(record.id), sight, job)


def _one(service: Service, campaign_id: str, may_change: bool) -> dict[str, Any]:
    record = service.watch.campaign(campaign_id)
    if record is None:
        raise UnknownCampaign(f"there is no campaign {campaign_id!r}")
    sight = service.watch.now()
    with service.store.database.read() as session:
        activity, tasks = Activity(session), Tasks(session).count(campaign_id)
        row = campaign_row(record, tasks, sight, _job(session, record))
        tally, told = activity.tally(campaign_id), activity.told(campaign_id, _MOST_LINES)
    agents = agent_rows(sight, service.settings.lease_ttl_s)
    return {
        "row": row, "tasks": tasks, "tally": tally, "told": told, "aliases": aliases(service), "may_change": may_change,
        "agents": [a for a in agents if a.work is not None and a.work.record.campaign_id == campaign_id],
        "on": [a for a in agents if a.on and a.record.target_id == record.target_id],
    }  # fmt: skip


def _job(session: Any, record: CampaignRecord) -> JobRecord | None:
    return Jobs(session).get(record.job_id) if record.job_id and record.state in WORKED_ON else None


def _form(service: Service) -> dict[str, Any]:
    """What can be chosen. Targets that an agent measures come first, those heard of last before others."""
    agents = agent_rows(service.watch.now(), service.settings.lease_ttl_s)
    on: dict[str, int] = {}
    for row in agents:
        on[row.record.target_id] = on.get(row.record.target_id, 0) + row.on
    order = {target: place for place, target in enumerate(sorted(on, key=lambda target: -on[target]))}
    targets = sorted(service.store.targets(), key=lambda target: order.get(target.id, len(order)))
    reports = (promotion.predictor.report for promotion in service.engine.catalogue.snapshot().promotions)
    spaces = [(name, name) for name in READY]
    spaces += [(space.id, space.name) for space in service.engine.library.newest(_MOST_SPACES)]
    return {
        "targets": targets, "agents_on": on, "spaces": spaces, "kinds": _kinds(reports), "precisions": _PRECISIONS,
        "body_limit": service.settings.max_body_bytes,
    }  # fmt: skip


def _kinds(reports: Iterable[Any]) -> list[str]:
    """Kinds of kernels that predictors know, those that take most time first."""
    share: dict[str, float] = {}
    for report in reports:
        for row in (report.get("kernels") or {}).get("kinds", []):
            share[row["kind"]] = max(share.get(row["kind"], 0.0), row["time_share"] or 0.0)
    return sorted(share, key=lambda kind: -share[kind])[:_MOST_KINDS]
