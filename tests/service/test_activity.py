"""What pages say of agents and campaigns: who is on, how fast, how far, how long still; on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from archgauge_client.wire_agents import CampaignRequest, HeartbeatRequest, ResultChunk
from lookup_tables import DeviceFingerprint, Measurement, PlanItem, Target
from service.agents import keeping, leasing
from service.agents.enrolling import know_target
from service.agents.watching import Sight, Watch, Work
from service.campaigns.planning import tasks_of
from service.db import (
    Activity,
    AgentRecord,
    Agents,
    CampaignRecord,
    Campaigns,
    Database,
    JobRecord,
    LeaseRecord,
    Leases,
    ProgressRecord,
    Tasks,
    WorkRecord,
)
from service.keys import Principal
from service.ui.activity import agent_rows, campaign_row, failures, rate_per_minute, title
from service.ui.formats import duration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BOARD = Target(DeviceFingerprint("Board", cores=4), runtime_version="1.31.1")
NOBODY = Principal(None)


def add_campaign(database: Database, items: int, per_task: int) -> str:
    plan = [PlanItem("resnet", seed, "whole_model") for seed in range(items)]
    document = CampaignRequest(budget_s=100.0, rounds=1).model_dump(mode="json", exclude={"target"})
    architectures = [{"name": "a", "hash": "h", "graph": {"nodes": []}}]
    with database.write() as session:
        know_target(session, BOARD)
        made = Campaigns(session).add(BOARD.id, {**document, "architectures": architectures}, "test")
        Tasks(session).add(made.id, BOARD.id, 1, tasks_of(plan, per_task, 1))
        Campaigns(session).measure(made.id, 1)
    return made.id


def add_agent(database: Database, name: str) -> AgentRecord:
    with database.write() as session:
        know_target(session, BOARD)
        return Agents(session).add(name, None, BOARD.id, {"protocol": 1})


def send(database: Database, lease: Any, place: int, error: Any = None) -> None:
    item = lease.task.document["items"][place]
    latency_us = None if error else 10.0
    record = Measurement(
        "whole_model", latency_us=latency_us, error=error, context=item["context"], split=item["item"]["split"]
    )
    chunk = ResultChunk(fence=lease.fence, item=item["key"], seconds=2.5, records=[record.to_json()] * 2)
    content = json.dumps(chunk.model_dump(mode="json")).encode()
    (receipt,) = keeping.keep(database, [keeping.Sent(lease.id, place, content, NOBODY)])
    assert isinstance(receipt, keeping.Receipt) and receipt.counts


def grant(database: Database, agent: AgentRecord) -> LeaseRecord:
    with database.write() as session:
        (lease,) = Leases(session).grant(BOARD.id, [agent.id], 60.0)
    return lease


def test_what_goes_on_is_seen(database: Database) -> None:
    watch = Watch(database)
    assert watch.now().agents == () and watch.campaigns(10) == [] and watch.campaign("x") is None
    campaign = add_campaign(database, items=3, per_task=2)
    agent = add_agent(database, "board")
    lease = grant(database, agent)
    leasing.beat(database, 60.0, [leasing.Beat(lease.id, HeartbeatRequest(fence=1, temperature_c=51.5), NOBODY)])
    watch = Watch(database)
    sight = watch.now()
    assert (sight.work[agent.id].item, sight.work[agent.id].place, sight.work[agent.id].items) == ("resnet:0", 1, 2)
    (row,) = agent_rows(sight, 60.0)
    assert (row.status, row.per_minute, row.record.state["temperature_c"]) == ("measuring", None, 51.5)
    send(database, lease, 0, "oom")
    sight = Watch(database).now()
    assert (sight.work[agent.id].item, sight.work[agent.id].place) == ("resnet:1", 2)
    (row,) = agent_rows(sight, 60.0)
    assert row.failures == [("oom", 2)] and row.per_minute == pytest.approx(60 / 2.5, rel=0.3)
    send(database, lease, 1)
    assert agent_rows(Watch(database).now(), 60.0)[0].status == "waiting"
    with database.read() as session:
        activity = Activity(session)
        tally = activity.tally(campaign)
        assert (tally.items, tally.errors) == (2, {"oom": 2})
        assert [p.seconds for p in activity.progress(10)] == [2.5, 2.5]
        assert [p.errors for p in activity.progress(1, campaign_id=campaign)] == [{}]
        assert activity.progress(10, campaign_id="another") == []
        assert [event.data["state"] for event in activity.told(campaign, 5)] == ["measuring", "planning"]
    record = Watch(database).campaign(campaign)
    assert record is not None and record.document["architectures"] == [{"name": "a", "hash": "h"}]
    with database.read() as session:
        whole = Campaigns(session).get(campaign)
        assert whole is not None and whole.document["architectures"][0]["graph"] == {"nodes": []}


def test_what_came_in_is_read_once_and_forgotten_after_an_hour(database: Database) -> None:
    add_campaign(database, items=2, per_task=2)
    agent = add_agent(database, "board")
    lease = grant(database, agent)
    watch = Watch(database)
    watch._look(None)
    send(database, lease, 0)
    first = watch._look(None)
    assert len(first.lately) == 1
    send(database, lease, 1)
    second = watch._look(first)
    assert [item.id for item in second.lately] == sorted({item.id for item in second.lately})
    assert len(second.lately) == 2 and second.work == {}
    old = Sight(first.at, (), {}, (ProgressRecord(1, "c", first.at - timedelta(hours=2), None, 1.0, 1),))
    assert watch._look(old).lately == ()


def agent(name: str, silent_s: float) -> AgentRecord:
    return AgentRecord(name, name, None, "t", {}, {}, NOW - timedelta(days=1), NOW - timedelta(seconds=silent_s))


def test_agents_that_are_on_come_first_in_an_order_that_stays() -> None:
    agents = (agent("c", 200), agent("b", 10), agent("d", 100), agent("a", 80))
    work = {"b": Work(WorkRecord("b", "x", "t", NOW, frozenset()), "resnet:0", 1, 1)}
    rows = agent_rows(Sight(NOW, agents, work, ()), 60.0)
    statuses = [(row.record.name, row.status) for row in rows]
    assert statuses == [("a", "waiting"), ("b", "measuring"), ("d", "silent"), ("c", "silent")]


def test_agents_that_may_not_measure_rest_until_they_are_silent() -> None:
    quiet = {"waits": "quiet hours until 19:00"}
    resting, gone = replace(agent("a", 10), state=quiet), replace(agent("b", 200), state=quiet)
    work = {"c": Work(WorkRecord("c", "x", "t", NOW, frozenset()), "resnet:0", 1, 1)}
    late = replace(agent("c", 1), state={"waits": "78 °C is more than 70 °C"})
    rows = agent_rows(Sight(NOW, (resting, gone, late), work, ()), 60.0)
    assert [(row.status, row.on) for row in rows] == [("resting", True), ("measuring", True), ("silent", False)]
    assert rows[0].why == "quiet hours until 19:00"


def came_in(*ago_s: float, seconds: float = 2.0, campaign: str = "x") -> tuple[ProgressRecord, ...]:
    return tuple(
        ProgressRecord(i, campaign, NOW - timedelta(seconds=ago), "a", seconds, 1) for i, ago in enumerate(ago_s)
    )


def test_rates_are_of_the_last_ten_minutes() -> None:
    assert rate_per_minute(came_in(58, 30, 10), NOW) == pytest.approx(3.0)
    assert rate_per_minute(came_in(3000, 58, 30, 10), NOW) == pytest.approx(3.0)
    assert rate_per_minute(came_in(3000), NOW) is None
    assert failures(came_in(1)) == []


def campaign(state: str = "measuring", spent_s: float = 100.0, round_: int = 1, **document: Any) -> CampaignRecord:
    asked = {
        "name": "", "goal": "learn", "budget_s": 400.0, "rounds": 4, "kernel_kinds": [], "search_space": None,
        "architectures": [], **document,
    }  # fmt: skip
    result = {"promoted": False} if state == "succeeded" else {}
    return CampaignRecord("x", "t", asked, state, round_, spent_s, "j", result, None, "me", NOW, None)


def sight(*lately: ProgressRecord, at: datetime = NOW, at_work: int = 0) -> Sight:
    work = {str(i): Work(WorkRecord(str(i), "x", "t", NOW, frozenset()), "n", 1, 1) for i in range(at_work)}
    return Sight(at, (), work, lately)


def test_how_long_a_campaign_will_take() -> None:
    row = campaign_row(campaign(), {"queued": 9}, sight(at_work=2))
    assert (row.share, row.left_s, row.at_work, row.waits) == (0.25, 150.0, 2, "")  # nothing came in: as if both worked
    row = campaign_row(campaign(), {"queued": 9}, sight(*came_in(38, 20, 2), at_work=2))
    assert row.left_s == pytest.approx(300 / (6 / 40))  # they measured 6 of the last 40 seconds
    row = campaign_row(campaign(), {"queued": 9}, sight(*came_in(38, campaign="other")))
    assert (row.left_s, row.per_minute) == (None, None)
    assert campaign_row(campaign(round_=3), {}, sight()).share == 0.5  # two rounds ran out of networks
    assert campaign_row(campaign("training"), {}, sight()).share == 1.0


def test_models_that_are_measured_take_no_longer_than_they_do() -> None:
    record = campaign(spent_s=10.0, goal="measure", rounds=1, architectures=[{"name": "m", "hash": "h"}])
    row = campaign_row(record, {"queued": 2, "leased": 1, "done": 1}, sight(at_work=1))
    assert (row.title, row.words, row.share, row.left_s) == ("m", "1 of 4 models done", 0.25, 30.0)
    assert campaign_row(record, {"queued": 4}, sight(at_work=1)).left_s is None


def job(state: str, words: str = "", progress: float = 0.0) -> JobRecord:
    return JobRecord("j", "campaign", {}, state, 1, 0, progress, words, {}, None, "me", NOW, None, None)


def test_campaigns_say_for_whom_they_wait() -> None:
    later = NOW + timedelta(seconds=6)
    assert campaign_row(campaign(), {"queued": 1}, sight(at=later)).waits == "agent"
    assert campaign_row(campaign(), {"queued": 1}, sight(at=later, at_work=1)).waits == ""
    assert campaign_row(campaign("paused"), {"queued": 1}, sight(at=later)).waits == ""
    row = campaign_row(campaign("planning"), {}, sight(at=later), job("queued"))
    assert (row.waits, row.words, row.left_s) == ("worker", "waits for a worker", None)
    row = campaign_row(campaign("training"), {}, sight(at=later), job("running", "growing trees", 0.4))
    assert (row.waits, row.words) == ("", "growing trees (40 %)")


def test_what_campaigns_are_called() -> None:
    assert title(campaign()) == "Whatever teaches most"
    assert title(campaign(kernel_kinds=["MatMul", "Conv"], search_space="s")) == "MatMul, Conv, s"
    assert title(campaign(name="finalists", kernel_kinds=["MatMul"])) == "finalists"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (20.0, "20 s"), (100.0, "2 min"), (7200.0, "2 h"), (7800.0, "2 h 10 min"),
     (86400.0 * 3.2, "3 d 4 h"), (86400.0 * 3, "3 d")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
