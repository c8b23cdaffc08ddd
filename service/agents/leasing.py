"""Work for agents: leases, heartbeats, and results in chunks that may arrive twice, late or not at all."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from archgauge_client.wire_agents import HeartbeatRequest, ResultChunk
from lookup_tables import Measurement, Target
from lookup_tables.errors import InvalidRecord
from service.agents.enrolling import know_target
from service.db import (
    AgentRecord,
    Agents,
    Campaigns,
    ChunkRecord,
    Database,
    LeaseRecord,
    Measurements,
    Tasks,
)
from service.db.clocks import now_of
from service.errors import Forbidden, InvalidRequest, StaleFence, UnknownAgent, UnknownLease
from service.keys import Principal


class Receipt(NamedTuple):
    """What became of a chunk."""

    new: bool
    counts: bool


def find_agent(database: Database, agent_id: str | None, principal: Principal) -> AgentRecord:
    """The agent that asks.

    Raises:
        UnknownAgent: there is none of that id, or none that the key belongs to.
        Forbidden: it is somebody else's.
    """
    with database.read() as session:
        if agent_id is not None:
            agent = Agents(session).get(agent_id)
        else:
            agent = None if principal.key is None else Agents(session).of_key(principal.key.id)
    if agent is None:
        raise UnknownAgent(f"there is no agent {agent_id!r}; POST /v1/agents first" if agent_id else
                           "no agent has this key; POST /v1/agents first, or name the agent")  # fmt: skip
    check_owner(agent, principal)
    return agent


def check_owner(agent: AgentRecord, principal: Principal) -> None:
    """Raises Forbidden unless the key is the agent's, or an administrator's."""
    if principal.key is not None and principal.key.id != agent.key_id and not principal.may("admin"):
        raise Forbidden(f"the agent {agent.id} belongs to another key")


def heard_of(database: Database, agent: AgentRecord, target: Target, facts: Mapping[str, Any]) -> None:
    """Note that an agent asks, and what for; a changed fingerprint is another target."""
    with database.write_lazily() as session:
        if agent.target_id != target.id:
            know_target(session, target)
        Agents(session).seen(agent.id, target_id=target.id, facts=dict(facts) or None)


def lease(database: Database, agent: AgentRecord, target: Target, ttl_s: float) -> LeaseRecord | None:
    """The next task for an agent, None if there is none."""
    with database.write_shared() as session:
        return Tasks(session).lease(agent.id, target.id, ttl_s)


def heartbeat(
    database: Database, lease_id: str, said: HeartbeatRequest, ttl_s: float, principal: Principal
) -> datetime | None:
    """Keep a task, or give it back; returns until when the lease holds.

    Raises:
        UnknownLease, Forbidden: no such lease, or another agent's.
        StaleFence: the task is somebody else's, or not wanted any more.
    """
    with database.write_lazily() as session:
        held = _held(session, lease_id, principal)
        state = {"temperature_c": said.temperature_c, "sentinel_us": said.sentinel_us}
        Agents(session).seen(held.agent_id, state=state)
        if held.holds and held.fence == said.fence:
            if not said.release:
                return Tasks(session).renew(held, ttl_s)
            Tasks(session).release(held)
            return None
    raise _stale(held, kept=False)


def keep_chunk(
    database: Database, lease_id: str, number: int, content: bytes, chunk: ResultChunk, principal: Principal
) -> Receipt:
    """Keep what measuring the item ``number`` of a task gave; ``content`` is the chunk as it was sent.

    Raises:
        UnknownLease, Forbidden: no such lease, or another agent's.
        InvalidRequest: it is not about that item.
        ContentConflict: another content was sent for it before.
        StaleFence: the task is somebody else's by now; the chunk is kept as evidence, and need not be sent again.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    with database.write_shared() as session:
        held = _held(session, lease_id, principal, with_campaign=True)
        records = _records(held, number, chunk)
        known = Measurements(session).sha256(held.task.origin, number) == sha256
        if known:
            return Receipt(False, True)
        counts = held.holds and held.fence == chunk.fence
        origin = held.task.origin if counts else held.origin
        named = ChunkRecord(held.task.target_id, origin, number, sha256, now_of(session))
        new = Measurements(session).add(named, records)
        if new:
            _note(session, held, chunk.seconds, records, counts=counts)
    if held.task.lease_id != held.id or held.fence != chunk.fence:
        raise _stale(held, kept=True)
    return Receipt(new, counts)


def _note(session: Any, held: LeaseRecord, seconds: float, records: list[Measurement], *, counts: bool) -> None:
    """What a new chunk means for its task and campaign."""
    tasks, campaigns = Tasks(session), Campaigns(session)
    tasks.arrived(held, counts=counts)
    if not counts:
        return
    campaign = campaigns.spend(held.task.campaign_id, seconds)
    if campaign.spent_s >= campaign.budget_s * campaign.round / campaign.document.get("rounds", 1):
        tasks.cancel(campaign.id, spent=True)
    errors = Counter(record.error for record in records if record.error is not None)
    said = {
        "progress": min(campaign.spent_s / campaign.budget_s, 1.0), "words": records[0].context,
        "agent": held.agent_id, "seconds": seconds, "records": len(records), "failed": errors.total(),
    }  # fmt: skip
    campaigns.event(campaign.id, "progress", said | ({"errors": dict(errors)} if errors else {}))
    tasks.close_round(campaign.id)


def _held(session: Any, lease_id: str, principal: Principal, *, with_campaign: bool = False) -> LeaseRecord:
    held = Tasks(session).get(lease_id, with_campaign=with_campaign)
    if held is None:
        raise UnknownLease(f"there is no lease {lease_id!r}")
    agent = Agents(session).get(held.agent_id)
    assert agent is not None
    check_owner(agent, principal)
    return held


def _records(held: LeaseRecord, number: int, chunk: ResultChunk) -> list[Measurement]:
    """The measurements of a chunk, which must be about the item that it is named after."""
    items = held.task.document["items"]
    if not 0 <= number < len(items):
        raise InvalidRequest(f"the task has {len(items)} items, numbered from 0; there is no {number}")
    item = items[number]
    if (chunk.item, chunk.repetition) != (item["key"], item["repetition"]):
        raise InvalidRequest(
            f"item {number} of the task is {item['key']} (repetition {item['repetition']}), not {chunk.item} "
            f"({chunk.repetition})", [("item", "is not what the task has there")],
        )  # fmt: skip
    try:
        records = [Measurement.from_json(record) for record in chunk.records]
    except InvalidRecord as error:
        raise InvalidRequest(str(error), [("records", str(error))]) from None
    wrong = next((r for r in records if r.context != item["context"] or r.split != item["item"]["split"]), None)
    if wrong is not None:
        message = f"a record is about {wrong.context!r} ({wrong.split}), not about {item['context']!r}"
        raise InvalidRequest(message, [("records", message)])
    return records


def _stale(held: LeaseRecord, *, kept: bool) -> StaleFence:
    more = "; what was sent is kept as evidence" if kept else ""
    return StaleFence(f"the task of lease {held.id} is somebody else's by now, or not wanted any more{more}")
