"""Campaigns: have something measured, and see how that is going."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import StreamingResponse

from archgauge_client.wire_agents import Campaign, CampaignList, CampaignRequest, TaskCounts
from service import examples_agents as examples
from service.auth import CurrentPrincipal, requires
from service.campaigns.requests import document_of, target_of
from service.db import CampaignRecord, Campaigns, JobEvent, Tasks
from service.db.campaigns import FINAL
from service.errors import UnknownCampaign
from service.logs import log
from service.openapi import answer, body, problem_responses
from service.routes._bodies import read_model
from service.routes._events import event_stream, event_stream_answer
from service.routes.targets import timestamp
from service.state import CurrentService, Service

router = APIRouter(tags=["campaigns"])


CampaignId = Annotated[str, Path(examples=[examples.CAMPAIGN["id"]])]


@router.post(
    "/v1/campaigns",
    summary="Have something measured",
    operation_id="create_campaign",
    status_code=201,
    responses=answer("The campaign", {**examples.CAMPAIGN, "state": "planning", "result": {}}, status=201)
    | problem_responses(400, 404, 408, 413, 415, 422),
    openapi_extra=body("application/json", "CampaignRequest", examples.CAMPAIGN_REQUESTS),
)
@requires("admin")
async def create(request: Request, service: CurrentService, principal: CurrentPrincipal) -> Campaign:
    """Agents of the target measure until the budget is spent; then a predictor is trained and promoted unless worse.

    What is measured is decided anew for every round, by what the predictor so far is least sure of.
    """
    wanted = await read_model(request, CampaignRequest, service.settings.request_time_limit_s)
    made = await asyncio.to_thread(_create, service, wanted, principal.id)
    log.info("campaign made", extra={"fields": {"campaign": made.id, "target": made.target, "by": principal.id}})
    return made


@router.get(
    "/v1/campaigns",
    summary="List campaigns",
    operation_id="list_campaigns",
    responses=answer("The newest campaigns", {"campaigns": [examples.CAMPAIGN]}),
)
def list_campaigns(
    service: CurrentService, limit: Annotated[int, Query(ge=1, le=1000, description="How many.")] = 100
) -> CampaignList:
    """The newest campaigns, the newest first."""
    with service.store.database.read() as session:
        return CampaignList(campaigns=[describe(session, one) for one in Campaigns(session).newest(limit)])


@router.get(
    "/v1/campaigns/{campaign_id}",
    summary="One campaign",
    operation_id="get_campaign",
    responses=answer("The campaign", examples.CAMPAIGN) | problem_responses(404),
)
def get_campaign(campaign_id: CampaignId, service: CurrentService) -> Campaign:
    """How far it is, and what came of it."""
    with service.store.database.read() as session:
        return describe(session, _find(session, campaign_id))


@router.get(
    "/v1/campaigns/{campaign_id}/events",
    summary="Follow a campaign",
    operation_id="follow_campaign",
    response_class=StreamingResponse,
    responses=event_stream_answer("campaign", examples.EVENT_STREAM) | problem_responses(404, 422),
)
async def follow_campaign(
    campaign_id: CampaignId,
    service: CurrentService,
    last_event_id: Annotated[int, Header(ge=0, le=2**62, description="Go on after this event.")] = 0,
) -> StreamingResponse:
    """Events named `state`, `progress` and `log`, each with JSON; from the beginning, or after the `Last-Event-ID`."""

    def read(after: int) -> tuple[bool, list[JobEvent]]:
        with service.store.database.read() as session:
            over = _find(session, campaign_id).state in FINAL
            return over, Campaigns(session).events(campaign_id, after)

    return await event_stream(service, read, last_event_id)


@router.post(
    "/v1/campaigns/{campaign_id}/pause",
    summary="Pause a campaign",
    operation_id="pause_campaign",
    responses=answer("The campaign", {**examples.CAMPAIGN, "state": "paused", "result": {}}) | problem_responses(404),
)
@requires("admin")
def pause(campaign_id: CampaignId, service: CurrentService) -> Campaign:
    """No more tasks are handed out; those under way are finished. Only a campaign that measures can be paused."""
    return _change(service, campaign_id, lambda session: Campaigns(session).pause(campaign_id))


@router.post(
    "/v1/campaigns/{campaign_id}/resume",
    summary="Resume a campaign",
    operation_id="resume_campaign",
    responses=answer("The campaign", {**examples.CAMPAIGN, "state": "measuring", "result": {}})
    | problem_responses(404),
)
@requires("admin")
def resume(campaign_id: CampaignId, service: CurrentService) -> Campaign:
    """Tasks are handed out again."""

    def go_on(session: Any) -> None:
        Campaigns(session).resume(campaign_id)
        Tasks(session).close_round(campaign_id)  # what was under way may have been the last

    return _change(service, campaign_id, go_on)


@router.post(
    "/v1/campaigns/{campaign_id}/cancel",
    summary="Cancel a campaign",
    operation_id="cancel_campaign",
    responses=answer("The campaign", {**examples.CAMPAIGN, "state": "cancelled", "result": {}})
    | problem_responses(404),
)
@requires("admin")
def cancel(campaign_id: CampaignId, service: CurrentService) -> Campaign:
    """Agents stop after the item that they are at. What was measured is kept; a campaign that is over stays so."""

    def stop(session: Any) -> None:
        Campaigns(session).end(campaign_id, "cancelled")
        if _find(session, campaign_id).state == "cancelled":
            Tasks(session).cancel(campaign_id)

    return _change(service, campaign_id, stop)


def describe(session: Any, record: CampaignRecord) -> Campaign:
    """What is told of a campaign."""
    document = record.document
    return Campaign(
        id=record.id, name=document["name"], target=record.target_id, goal=document["goal"],
        state=record.state,  # type: ignore[arg-type]
        round=record.round, rounds=document["rounds"], budget_s=record.budget_s, spent_s=round(record.spent_s, 3),
        tasks=TaskCounts(**Tasks(session).count(record.id)), job=record.job_id, result=dict(record.result),
        error=record.error, requested_by=record.requested_by, created_at=timestamp(record.created_at),
        finished_at=None if record.finished_at is None else timestamp(record.finished_at),
    )  # fmt: skip


def _create(service: Service, wanted: CampaignRequest, by: str) -> Campaign:
    target_id = target_of(service.store, wanted)
    document = document_of(service.store, wanted, service.settings.max_graph_nodes)
    with service.store.database.write() as session:
        return describe(session, Campaigns(session).add(target_id, document, by))


def _find(session: Any, campaign_id: str) -> CampaignRecord:
    record = Campaigns(session).get(campaign_id)
    if record is None:
        raise UnknownCampaign(f"there is no campaign {campaign_id!r}; GET /v1/campaigns lists the newest ones")
    return record


def _change(service: Service, campaign_id: str, change: Callable[[Any], None]) -> Campaign:
    with service.store.database.write() as session:
        _find(session, campaign_id)
        change(session)
        return describe(session, _find(session, campaign_id))
