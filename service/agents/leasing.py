"""Signs of life: who asks for work, and who is still at a task. Many agents are answered in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archgauge_client.wire_agents import HeartbeatRequest
from lookup_tables import Target
from service.agents.enrolling import know_target
from service.db import AgentRecord, Agents, Database, LeaseRecord, Leases
from service.db.clocks import now_of
from service.errors import Forbidden, ServiceError, StaleFence, UnknownAgent, UnknownLease
from service.keys import Principal


@dataclass(frozen=True, slots=True)
class Asking:
    """An agent asks for work for a target, or ``waits`` for a reason of its own; no id stands for that of the key."""

    agent_id: str | None
    principal: Principal
    target: Target
    facts: Mapping[str, Any]
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat."""

    lease_id: str
    said: HeartbeatRequest
    principal: Principal


def hear(database: Database, askings: Sequence[Asking]) -> list[AgentRecord | Exception]:
    """Who they are, noting that they were heard of. Or:

    * UnknownAgent: there is no agent of that id, or none that the key belongs to.
    * Forbidden: it is somebody else's.
    """
    with database.write_lazily() as session:
        agents, now = Agents(session), now_of(session)
        known = agents.of([asking.agent_id for asking in askings if asking.agent_id is not None])
        answers: list[AgentRecord | Exception] = []
        for asking in askings:
            try:
                agent = _find(agents, known, asking)
            except ServiceError as error:
                answers.append(error)
                continue
            if agent.target_id != asking.target.id:
                know_target(session, asking.target)
            waits = None if asking.waits == agent.state.get("waits") else {**agent.state, "waits": asking.waits}
            agents.seen(agent.id, now, target_id=asking.target.id, facts=dict(asking.facts) or None, state=waits)
            answers.append(agent)
    return answers


def beat(database: Database, ttl_s: float, beats: Sequence[Beat]) -> list[datetime | Exception | None]:
    """Keep tasks, or give them back: until when each lease holds. Or:

    * UnknownLease, Forbidden: no such lease, or another agent's.
    * StaleFence: the task is somebody else's, or not wanted any more.
    """
    with database.write_lazily() as session:
        leases, agents, now = Leases(session), Agents(session), now_of(session)
        held = leases.hold([one.lease_id for one in beats])
        owners = agents.of([lease.agent_id for lease in held.values()])
        renewed: dict[str, LeaseRecord] = {}
        released: dict[str, LeaseRecord] = {}
        answers: list[LeaseRecord | Exception | None] = []
        for one in beats:
            try:
                lease = owned(held, owners, one.lease_id, one.principal)
                state = {"temperature_c": one.said.temperature_c, "sentinel_us": one.said.sentinel_us}
                agents.seen(lease.agent_id, now, state=state)
                if not lease.holds or lease.fence != one.said.fence or lease.id in released:
                    raise stale(lease)
            except ServiceError as error:
                answers.append(error)
                continue
            (released if one.said.release else renewed)[lease.id] = lease
            answers.append(None if one.said.release else lease)
        until = leases.renew([lease for lease in renewed.values() if lease.id not in released], ttl_s)
        leases.release(list(released.values()))
    return [until if isinstance(answer, LeaseRecord) else answer for answer in answers]


def owned(
    held: Mapping[str, LeaseRecord], owners: Mapping[str, AgentRecord], lease_id: str, principal: Principal
) -> LeaseRecord:
    """The lease of that id. Raises UnknownLease, or Forbidden where it is another agent's."""
    lease = held.get(lease_id)
    if lease is None:
        raise UnknownLease(f"there is no lease {lease_id!r}")
    _check_owner(owners[lease.agent_id], principal)
    return lease


def stale(lease: LeaseRecord, *, kept: bool = False) -> StaleFence:
    """Somebody else has the task; ``kept``: what was sent is not lost."""
    more = "; what was sent is kept as evidence" if kept else ""
    return StaleFence(f"the task of lease {lease.id} is somebody else's by now, or not wanted any more{more}")


def _find(agents: Agents, known: Mapping[str, AgentRecord], asking: Asking) -> AgentRecord:
    key = asking.principal.key
    if asking.agent_id is not None:
        agent = known.get(asking.agent_id)
    else:
        agent = None if key is None else agents.of_key(key.id)
    if agent is None:
        raise UnknownAgent(f"there is no agent {asking.agent_id!r}; POST /v1/agents first" if asking.agent_id else
                           "no agent has this key; POST /v1/agents first, or name the agent")  # fmt: skip
    _check_owner(agent, asking.principal)
    return agent


def _check_owner(agent: AgentRecord, principal: Principal) -> None:
    """Raises Forbidden unless the key is the agent's, or an administrator's."""
    if principal.key is not None and principal.key.id != agent.key_id and not principal.may("admin"):
        raise Forbidden(f"the agent {agent.id} belongs to another key")
