"""Agents: one-time tokens for them, enrolling, and the list of them."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from archgauge_client.wire_agents import Agent, AgentList, AgentRequest, Enrolment, EnrolmentRequest, NewAgent
from service import examples_agents as examples
from service.agents.enrolling import add_enrolment, enrol_with_key, enrol_with_token, read_target
from service.auth import BY_ITSELF, CurrentPrincipal, identify, requires
from service.db import AgentRecord, Agents
from service.errors import InvalidRequest
from service.logs import log
from service.openapi import answer, body, problem_responses
from service.routes._bodies import read_model
from service.routes.targets import timestamp
from service.state import CurrentService

router = APIRouter(tags=["agents"])


@router.get(
    "/v1/agents",
    summary="List agents",
    operation_id="list_agents",
    responses=answer("All agents", {"agents": [examples.AGENT]}),
)
def list_agents(service: CurrentService) -> AgentList:
    """Every device that ever enrolled, the newest first."""
    with service.store.database.read() as session:
        return AgentList(agents=[describe(record) for record in Agents(session).all()])


@router.post(
    "/v1/agents/enrolments",
    summary="Make a one-time token",
    operation_id="create_enrolment",
    status_code=201,
    responses=answer("The token", examples.ENROLMENT, status=201) | problem_responses(400, 408, 409, 413, 415, 422),
    openapi_extra=body("application/json", "EnrolmentRequest", examples.ENROLMENT_REQUESTS),
)
@requires("admin")
async def enrolment(request: Request, service: CurrentService, principal: CurrentPrincipal) -> Enrolment:
    """For `archgauge agent --token` on one device. The token is in this answer and nowhere else."""
    wanted = await read_model(request, EnrolmentRequest, service.settings.request_time_limit_s)
    record, token = await asyncio.to_thread(
        add_enrolment, service.store.database, wanted.name, wanted.expires_in_s, principal
    )
    log.info("enrolment made", extra={"fields": {"enrolment": record.id, "by": principal.id}})
    return Enrolment(id=record.id, name=record.name, token=token, expires_at=timestamp(record.expires_at))


@router.post(
    "/v1/agents",
    summary="Enrol a device",
    operation_id="enrol_agent",
    status_code=201,
    responses=answer("The agent with its key", examples.NEW_AGENT, status=201)
    | problem_responses(400, 408, 413, 415, 422),
    openapi_extra=body("application/json", "AgentRequest", examples.AGENT_REQUESTS),
)
@requires(BY_ITSELF)
async def enrol(request: Request, service: CurrentService) -> NewAgent:
    """Against a one-time token a device gets a key of its own, which may measure and nothing else."""
    try:
        wanted = await read_model(request, AgentRequest, service.settings.request_time_limit_s)
    except InvalidRequest:
        await identify(request, "agent")  # who has neither token nor key is told that first
        raise
    database, token = service.store.database, None
    if wanted.token is None:
        principal = await identify(request, "agent")
        target = read_target(wanted.target)
        record = await asyncio.to_thread(enrol_with_key, database, principal, wanted.name, target, wanted.facts)
    else:
        target = read_target(wanted.target)
        record, token = await asyncio.to_thread(
            enrol_with_token, database, wanted.token, wanted.name, target, wanted.facts
        )
    log.info("agent enrolled", extra={"fields": {"agent": record.id, "target": record.target_id}})
    return NewAgent(**describe(record).model_dump(), key=token)


def describe(record: AgentRecord) -> Agent:
    """What is told of an agent."""
    protocol = record.facts.get("protocol")
    return Agent(
        id=record.id, name=record.name, target=record.target_id,
        protocol=protocol if isinstance(protocol, int) else None,
        temperature_c=record.state.get("temperature_c"), sentinel_us=record.state.get("sentinel_us"),
        waits=record.state.get("waits"), enrolled_at=timestamp(record.enrolled_at),
        seen_at=timestamp(record.seen_at),
    )  # fmt: skip
