"""Leases: tasks for agents, signs of life, results."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from archgauge_client.wire_agents import (
    ChunkReceipt,
    Heartbeat,
    HeartbeatRequest,
    Lease,
    LeaseAnswer,
    LeaseRequest,
    Limits,
    ResultChunk,
    TaskItem,
)
from service import examples_agents as examples
from service.agents import leasing
from service.agents.enrolling import read_target
from service.auth import CurrentPrincipal, requires
from service.db import LeaseRecord
from service.logs import log
from service.openapi import answer, body, problem_responses
from service.requests import invalid
from service.routes._bodies import read_json, read_model
from service.routes.targets import timestamp
from service.state import CurrentService

router = APIRouter(tags=["agents"])

#: Seconds between looks for work while an agent waits.
_LOOK_EVERY_S = 0.5

LeaseId = Annotated[str, Path(examples=[examples.LEASE["id"]])]


@router.post(
    "/v1/leases",
    summary="Ask for work",
    operation_id="lease_task",
    responses=answer("A task, or null", {"lease": examples.LEASE}) | problem_responses(400, 404, 408, 413, 415, 422),
    openapi_extra=body("application/json", "LeaseRequest", examples.LEASE_REQUESTS),
)
@requires("agent")
async def ask(request: Request, service: CurrentService, principal: CurrentPrincipal) -> LeaseAnswer:
    """The next task for the agent's target, as soon as there is one; null after `wait_s`.

    The task is the agent's until it says nothing for `ttl_s`. A device whose fingerprint has changed is another target.
    """
    wanted = await read_model(request, LeaseRequest, service.settings.request_time_limit_s)
    target, database = read_target(wanted.target), service.store.database
    agent = await asyncio.to_thread(leasing.find_agent, database, wanted.agent, principal)
    await asyncio.to_thread(leasing.heard_of, database, agent, target, wanted.facts)
    loop = asyncio.get_running_loop()
    end = loop.time() + wanted.wait_s
    while not service.stopping.asked and not await request.is_disconnected():
        if await service.waiting.may_have(target.id):
            held = await asyncio.to_thread(leasing.lease, database, agent, target, service.settings.lease_ttl_s)
            if held is not None:
                log.info("task leased", extra={"fields": {"lease": held.id, "task": held.task.id, "agent": agent.id}})
                return LeaseAnswer(lease=_describe(held, service.settings.lease_ttl_s))
        if loop.time() >= end:
            break
        await asyncio.sleep(min(_LOOK_EVERY_S, max(end - loop.time(), 0.01)))
    return LeaseAnswer()


@router.post(
    "/v1/leases/{lease_id}/heartbeat",
    summary="Keep a task, or give it back",
    operation_id="keep_lease",
    responses=answer("Until when", {"until": examples.LEASE["until"]})
    | problem_responses(400, 404, 408, 409, 413, 415, 422),
    openapi_extra=body("application/json", "HeartbeatRequest", examples.HEARTBEAT_REQUESTS),
)
@requires("agent")
async def heartbeat(
    lease_id: LeaseId, request: Request, service: CurrentService, principal: CurrentPrincipal
) -> Heartbeat:
    """Send one at least every third of `ttl_s`. 409 says that somebody else has the task by now: stop."""
    said = await read_model(request, HeartbeatRequest, service.settings.request_time_limit_s)
    until = await asyncio.to_thread(
        leasing.heartbeat, service.store.database, lease_id, said, service.settings.lease_ttl_s, principal
    )
    return Heartbeat(until=None if until is None else timestamp(until))


@router.put(
    "/v1/leases/{lease_id}/results/{chunk}",
    summary="Send results",
    operation_id="put_results",
    responses=answer("It is kept", {"new": True, "counts": True})
    | problem_responses(400, 404, 408, 409, 413, 415, 422),
    openapi_extra=body("application/json", "ResultChunk", examples.CHUNK_REQUESTS),
)
@requires("agent")
async def put(
    lease_id: LeaseId,
    chunk: Annotated[int, Path(ge=0, le=10_000, description="The index of the item.", examples=[0])],
    request: Request,
    service: CurrentService,
    principal: CurrentPrincipal,
) -> ChunkReceipt:
    """What measuring an item gave. When it is answered, it is on disk; the same bytes may be sent again.

    Other bytes for an item that came in already are refused with 409 (`content-conflict`). 409 `stale-fence` says that
    somebody else has the task by now: what was sent is kept as evidence, but does not count. After an answer of either
    kind it need not be sent again.
    """
    content = await read_json(request, service.settings.request_time_limit_s)
    try:
        said = ResultChunk.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise invalid(error) from None
    receipt = await asyncio.to_thread(
        leasing.keep_chunk, service.store.database, lease_id, chunk, content, said, principal
    )
    return ChunkReceipt(new=receipt.new, counts=receipt.counts)


def _describe(held: LeaseRecord, ttl_s: float) -> Lease:
    document = held.task.document
    assert held.until is not None
    items = [
        TaskItem(index=index, item=item["item"], graph=item.get("graph"), repetition=item["repetition"])
        for index, item in enumerate(document["items"])
        if index not in held.measured
    ]
    return Lease(
        id=held.id, fence=held.fence, campaign=held.task.campaign_id, target=held.task.target_id,
        protocol=document["protocol"], ttl_s=ttl_s, until=timestamp(held.until), limits=Limits(**document["limits"]),
        items=items,
    )  # fmt: skip
