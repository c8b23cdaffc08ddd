"""What many agents say is worked off in one transaction: each gets its own answer; on both databases."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from archgauge_client.wire_agents import CampaignRequest, HeartbeatRequest
from lookup_tables import DeviceFingerprint, Measurement, PlanItem, Target
from service.agents.enrolling import know_target
from service.agents.keeping import Receipt, Sent, keep
from service.agents.leasing import Asking, Beat, beat, hear
from service.campaigns.planning import tasks_of
from service.db import AgentRecord, Agents, Campaigns, Database, LeaseRecord, Leases, Measurements, Tasks
from service.errors import (
    ContentConflict,
    Forbidden,
    InvalidRequest,
    MalformedJson,
    StaleFence,
    UnknownAgent,
    UnknownLease,
)
from service.keys import Principal, new_key

BOARD = Target(DeviceFingerprint("Board", cores=4), runtime_version="1.31.1")
OTHER = Target(DeviceFingerprint("Other board", cores=4), runtime_version="1.31.1")
NOBODY = Principal(None)
STRANGER = Principal(new_key("stranger", ["agent"])[0])


@pytest.fixture
def agents(database: Database) -> list[AgentRecord]:
    with database.write() as session:
        know_target(session, BOARD)
        return [Agents(session).add(f"board {n}", None, BOARD.id, {}) for n in range(3)]


@pytest.fixture
def leases(database: Database, agents: list[AgentRecord]) -> list[LeaseRecord]:
    """A task of two items for each agent, of one campaign."""
    plan = [PlanItem("resnet", seed, "whole_model") for seed in range(6)]
    document = CampaignRequest(budget_s=1e6, rounds=1).model_dump(mode="json", exclude={"target"})
    with database.write() as session:
        made = Campaigns(session).add(BOARD.id, document, "test")
        Tasks(session).add(made.id, BOARD.id, 1, tasks_of(plan, 2, 1))
        Campaigns(session).measure(made.id, 1)
        return Leases(session).grant(BOARD.id, [agent.id for agent in agents], 60.0)


def sent(lease: LeaseRecord, place: int, principal: Principal = NOBODY, **changes: Any) -> Sent:
    item = PlanItem.from_json(lease.task.document["items"][place]["item"])
    record = Measurement("whole_model", latency_us=changes.pop("latency_us", 10.0), context=item.network)
    chunk = {"fence": lease.fence, "item": item.key, "seconds": 1.0, "records": [record.to_json()]}
    return Sent(lease.id, place, json.dumps(chunk | changes).encode(), principal)


def kinds(answers: list[Any]) -> list[Any]:
    """Types of exceptions, everything else as it is."""
    return [type(answer) if isinstance(answer, Exception) else answer for answer in answers]


def test_every_chunk_of_a_batch_has_its_own_answer(database: Database, leases: list[LeaseRecord]) -> None:
    first, second, third = leases
    answers = keep(
        database,
        [
            sent(first, 0), sent(first, 0), sent(first, 0, latency_us=11.0), sent(second, 0),
            Sent(second.id, 1, b"{", NOBODY), sent(second, 1, item="resnet:9/whole_model/train"),
            sent(second, 1, STRANGER), Sent("nothing", 0, sent(first, 0).content, NOBODY), sent(third, 1, fence=7),
            sent(first, 1),
        ],
    )  # fmt: skip
    new, known = Receipt(True, True), Receipt(False, True)
    refused = [MalformedJson, InvalidRequest, Forbidden, UnknownLease, StaleFence]
    assert kinds(answers) == [new, known, ContentConflict, new, *refused, new]
    with database.read() as session:
        campaign = Campaigns(session).get(first.task.campaign_id)
        assert campaign is not None and (campaign.state, campaign.spent_s) == ("measuring", 3.0)
        assert Tasks(session).count(campaign.id) == {"done": 1, "leased": 2}
        origins = [lease.task.origin for lease in leases]
        assert sorted(m.context for m in Measurements(session).of(origins)) == ["resnet:0", "resnet:1", "resnet:2"]
        assert len(Measurements(session).of([third.origin])) == 1


def test_the_last_items_of_several_tasks_end_a_round_once(database: Database, leases: list[LeaseRecord]) -> None:
    assert all(answer == (True, True) for answer in keep(database, [sent(le, n) for n in (0, 1) for le in leases]))
    with database.read() as session:
        campaign = Campaigns(session).get(leases[0].task.campaign_id)
        events = Campaigns(session).events(leases[0].task.campaign_id)
    assert campaign is not None and (campaign.state, campaign.spent_s) == ("planning", 6.0)
    assert [e.data["state"] for e in events if e.kind == "state"] == ["planning", "measuring", "planning"]


def test_every_heartbeat_of_a_batch_has_its_own_answer(database: Database, leases: list[LeaseRecord]) -> None:
    first, second, third = leases
    answers = beat(
        database,
        90.0,
        [
            Beat(first.id, HeartbeatRequest(fence=1, temperature_c=50.0), NOBODY),
            Beat(second.id, HeartbeatRequest(fence=1, release=True), NOBODY),
            Beat(second.id, HeartbeatRequest(fence=1), NOBODY),
            Beat(third.id, HeartbeatRequest(fence=2), NOBODY),
            Beat(third.id, HeartbeatRequest(fence=1), STRANGER),
            Beat("nothing\0", HeartbeatRequest(fence=1), NOBODY),
        ],
    )
    assert isinstance(answers[0], datetime) and first.until is not None and answers[0] > first.until
    assert kinds(answers[1:]) == [None, StaleFence, StaleFence, Forbidden, UnknownLease]
    with database.write() as session:
        held = Leases(session).hold([lease.id for lease in leases])
        assert [held[lease.id].holds for lease in leases] == [True, False, True]
        assert Agents(session).of([first.agent_id])[first.agent_id].state["temperature_c"] == 50.0


def test_everybody_who_asks_is_heard_of(database: Database, agents: list[AgentRecord]) -> None:
    asking = [
        Asking(agents[0].id, NOBODY, BOARD, {"protocol": 1}),
        Asking("nothing", NOBODY, BOARD, {}),
        Asking(agents[1].id, NOBODY, OTHER, {}, waits="quiet hours"),
        Asking(None, NOBODY, BOARD, {}),
        Asking(agents[2].id, STRANGER, BOARD, {}),
    ]
    answers = hear(database, asking)
    assert [getattr(a, "id", type(a)) for a in answers] == [
        agents[0].id, UnknownAgent, agents[1].id, UnknownAgent, Forbidden,
    ]  # fmt: skip
    with database.read() as session:
        now = Agents(session).of([agent.id for agent in agents])
    assert [now[agent.id].target_id for agent in agents] == [BOARD.id, OTHER.id, BOARD.id]
    assert [now[agent.id].state.get("waits") for agent in agents] == [None, "quiet hours", None]
    assert [now[agent.id].seen_at > agent.seen_at for agent in agents] == [True, True, False]
