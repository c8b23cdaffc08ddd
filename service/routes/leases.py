"""Leases: tasks for agents, signs of life, results."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from archgauge_client.wire_agents import (
    ChunkReceipt,
    Heartbeat,
    HeartbeatRequest,
    Lease,
    LeaseAnswer,
    LeaseRequest,
    Limits,
    TaskItem,
)
from service import examples_agents as examples
from service.agents.enrolling import read_target
from service.agents.keeping import Sent
from service.agents.leasing import Asking, Beat
from service.auth import CurrentPrincipal, requires
from service.db import LeaseRecord
from service.logs import log
from service.openapi import answer, body, problem_responses
from service.routes._bodies import read_json, read_model
from service.routes._connections import hung_up
from service.routes.targets import timestamp
from service.state import CurrentService

router = APIRouter(tags=["agents"])

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
    target, ttl_s = read_target(wanted.target), service.settings.lease_ttl_s
    agent = await service.desk.askings.ask(Asking(wanted.agent, principal, target, wanted.facts, wanted.waits))
    if wanted.waits is not None:
        return LeaseAnswer()
    held = await service.desk.queue.wait(agent, target, wanted.wait_s, hung_up(request))
    if held is None:
        return LeaseAnswer()
    log.info("task leased", extra={"fields": {"lease": held.id, "task": held.task.id, "agent": agent.id}})
    return LeaseAnswer(lease=_describe(held, ttl_s))


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
    until = await service.desk.beats.ask(Beat(lease_id, said, principal))
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
    receipt = await service.desk.chunks.ask(Sent(lease_id, chunk, content, principal))
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
