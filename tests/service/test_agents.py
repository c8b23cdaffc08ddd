"""Agents over HTTP: enrolling, leases, results that come twice, late, or wrong; campaigns; on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from archgauge_client import Client, InvalidRequest, NotFound, ProblemError
from archgauge_client.agents import Agents as AgentsApi
from archgauge_client.agents import Campaigns as CampaignsApi
from archgauge_client.wire_agents import CampaignRequest, HeartbeatRequest, Lease
from graphs import write_json
from graphs.spaces import sample
from lookup_tables import DeviceFingerprint, Measurement, PlanItem, Target
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Measurements, Tasks
from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store

Check = Callable[..., dict[str, Any]]
BOARD = Target(DeviceFingerprint("Board", cores=4), runtime_version="1.31.1")
OTHER = Target(DeviceFingerprint("Other board", cores=4), runtime_version="1.31.1")


class Running(NamedTuple):
    """A service whose administrator has a key, with its store."""

    url: str
    store: Store
    admin: str
    clients: list[Client]

    def client(self, key: str | None = None) -> Client:
        self.clients.append(Client(self.url, api_key=key or self.admin))
        return self.clients[-1]

    def enrol(self, name: str = "board", target: Target = BOARD) -> tuple[AgentsApi, str, str]:
        """An agent with a key of its own."""
        token = AgentsApi(self.client()).invite(name).token
        with Client(self.url) as nobody:
            made = AgentsApi(nobody).enrol(target.to_json(), {"protocol": 1}, token)
        assert made.key is not None
        return AgentsApi(self.client(made.key)), made.id, made.key

    def campaign(self, items: int, per_task: int, budget_s: float = 1e6) -> str:
        """A campaign that is being measured; no job has a part in it."""
        plan = [PlanItem("resnet", seed, "whole_model") for seed in range(items)]
        self.store.register_target(BOARD)
        with self.store.database.write() as session:
            document = CampaignRequest(budget_s=budget_s, rounds=1).model_dump(mode="json", exclude={"target"})
            made = Campaigns(session).add(BOARD.id, {**document, "architectures": []}, "test")
            Tasks(session).add(made.id, BOARD.id, 1, tasks_of(plan, per_task, 1))
            Campaigns(session).measure(made.id, 1)
        return made.id


@pytest.fixture
def running(tmp_path: Path, database_url: str) -> Iterator[Running]:
    with Store.open(tmp_path, database_url) as store:
        _, token = create_key(store.database, "me", ["admin"])
        settings = Settings(tmp_path, database_url, refresh_s=0.0, embedded_worker=False)
        with in_background(settings) as url:
            running = Running(url, store, token, [])
            yield running
            for client in running.clients:
                client.close()


def chunk(lease: Lease, place: int, latency_us: float = 10.0, seconds: float = 1.0) -> bytes:
    item = PlanItem.from_json(lease.items[place].item)
    record = Measurement("whole_model", latency_us=latency_us, context=item.network, split=item.split)
    data = {"fence": lease.fence, "item": item.key, "repetition": 0, "seconds": seconds, "records": [record.to_json()]}
    return json.dumps(data).encode()


def leased(agents: AgentsApi, agent_id: str, target: Target = BOARD) -> Lease:
    lease = agents.lease(agent_id, target.to_json(), {"protocol": 1}, wait_s=5.0)
    assert lease is not None
    return lease


def test_a_token_enrols_one_device(running: Running, check_problem: Check) -> None:
    agents, agent_id, key = running.enrol("board 7")
    (known,) = AgentsApi(running.client()).all()
    assert (known.id, known.name, known.target, known.protocol) == (agent_id, "board 7", BOARD.id, 1)
    token = AgentsApi(running.client()).invite("once").token
    body = {"token": token, "target": BOARD.to_json()}
    assert httpx.post(f"{running.url}/v1/agents", json=body).status_code == 201
    check_problem(httpx.post(f"{running.url}/v1/agents", json=body), 401, "not-authenticated")
    check_problem(httpx.post(f"{running.url}/v1/agents", json={**body, "token": "ae_x"}), 401, "not-authenticated")
    check_problem(httpx.post(f"{running.url}/v1/agents", json={**body, "token": None}), 401, "not-authenticated")
    with pytest.raises(ProblemError) as refused:  # its key may measure and look, and no more
        AgentsApi(running.client(key)).invite("another")
    assert refused.value.status == 403
    assert agents.lease(agent_id, BOARD.to_json(), {}) is None


def test_of_many_who_use_one_token_one_gets_in(running: Running) -> None:
    token = AgentsApi(running.client()).invite("board").token
    body = {"token": token, "target": BOARD.to_json()}
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: httpx.post(f"{running.url}/v1/agents", json=body).status_code, range(6)))
    assert sorted(statuses) == [201, 401, 401, 401, 401, 401]


def test_without_keys_this_machine_needs_no_token(tmp_path: Path, check_problem: Check) -> None:
    with in_background(Settings(tmp_path, embedded_worker=False)) as url:
        check_problem(httpx.post(f"{url}/v1/agents/enrolments", json={"name": "x"}), 409, "keys-needed")
        with Client(url) as client:
            made = AgentsApi(client).enrol(BOARD.to_json(), {})
            assert made.key is None and made.name == "board"
            assert AgentsApi(client).lease(made.id, BOARD.to_json(), {}) is None


def test_from_lease_to_results(running: Running) -> None:
    campaign = running.campaign(items=3, per_task=2)
    agents, agent_id, _ = running.enrol()
    first = leased(agents, agent_id)
    assert (first.fence, first.target, first.protocol, len(first.items)) == (1, BOARD.id, 1, 2)
    assert first.items[0].item["family"] == "resnet" and first.limits.seconds > 0
    assert agents.heartbeat(first.id, HeartbeatRequest(fence=1, temperature_c=50.0, sentinel_us=1200.0)).until
    (known,) = AgentsApi(running.client()).all()
    assert (known.temperature_c, known.sentinel_us) == (50.0, 1200.0)
    receipt = agents.send(first.id, 0, chunk(first, 0))
    assert (receipt.new, receipt.counts) == (True, True)
    receipt = agents.send(first.id, 0, chunk(first, 0))
    assert (receipt.new, receipt.counts) == (False, True)
    with pytest.raises(ProblemError) as conflict:
        agents.send(first.id, 0, chunk(first, 0, latency_us=11.0))
    assert (conflict.value.status, conflict.value.problem.slug) == (409, "content-conflict")
    agents.send(first.id, 1, chunk(first, 1))
    second = leased(agents, agent_id)
    agents.send(second.id, 0, chunk(second, 0))
    made = CampaignsApi(running.client()).get(campaign)
    assert (made.state, made.tasks.done, made.spent_s) == ("planning", 2, 3.0)  # a job goes on from here
    with running.store.database.read() as session:
        origins = [task.origin for task in Tasks(session).of(campaign)]
        assert sorted(m.context for m in Measurements(session).of(origins)) == ["resnet:0", "resnet:1", "resnet:2"]


def test_uploads_come_twice_at_once_and_in_any_order(running: Running) -> None:
    campaign = running.campaign(items=4, per_task=4)
    agents, agent_id, _ = running.enrol()
    lease = leased(agents, agent_id)
    order = [3, 1, 3, 0, 1, 3, 2, 0, 2, 3]
    with ThreadPoolExecutor(5) as pool:
        receipts = list(pool.map(lambda place: agents.send(lease.id, place, chunk(lease, place)), order))
    assert sum(receipt.new for receipt in receipts) == 4 and all(receipt.counts for receipt in receipts)
    made = CampaignsApi(running.client()).get(campaign)
    assert (made.state, made.tasks.done, made.spent_s) == ("planning", 1, 4.0)
    assert agents.send(lease.id, 2, chunk(lease, 2)).new is False  # days later


def test_whoever_comes_too_late_leaves_evidence(running: Running) -> None:
    running.campaign(items=2, per_task=2)
    late, late_id, _ = running.enrol("late")
    other, other_id, _ = running.enrol("other")
    mine = leased(late, late_id)
    late.send(mine.id, 0, chunk(mine, 0))
    late.heartbeat(mine.id, HeartbeatRequest(fence=1, release=True))
    theirs = leased(other, other_id)
    assert (theirs.fence, [item.index for item in theirs.items]) == (2, [1])
    for call in (
        lambda: late.heartbeat(mine.id, HeartbeatRequest(fence=1)),
        lambda: late.send(mine.id, 1, chunk(mine, 1)),
        lambda: late.send(mine.id, 1, chunk(mine, 1)),
    ):
        with pytest.raises(ProblemError) as stale:
            call()
        assert (stale.value.status, stale.value.problem.slug) == (409, "stale-fence")
    assert late.send(mine.id, 0, chunk(mine, 0)).new is False  # what counted still does
    other.send(theirs.id, 1, chunk(theirs, 0))
    with running.store.database.read() as session:
        kept = Measurements(session).chunks(BOARD.id)
        assert sorted(c.origin.partition(":")[0] for c in kept) == ["late", "task", "task"]


def test_results_of_something_else_are_refused(running: Running, check_problem: Check) -> None:
    running.campaign(items=2, per_task=2)
    agents, agent_id, key = running.enrol()
    lease = leased(agents, agent_id)
    with pytest.raises(InvalidRequest, match="item 1 of the task"):
        agents.send(lease.id, 1, chunk(lease, 0))
    with pytest.raises(InvalidRequest, match="there is no 2"):
        agents.send(lease.id, 2, chunk(lease, 1))
    wrong = json.loads(chunk(lease, 0))
    for change in ({"context": "resnet:9"}, {"latency_us": -1.0}, {"mode": "other"}):
        broken = {**wrong, "records": [{**wrong["records"][0], **change}]}
        with pytest.raises(InvalidRequest):
            agents.send(lease.id, 0, json.dumps(broken).encode())
    with pytest.raises(InvalidRequest):
        agents.send(lease.id, 0, b'{"fence": 1}')
    with pytest.raises(NotFound):
        agents.send("nothing", 0, chunk(lease, 0))
    stranger, _, _ = running.enrol("stranger")
    with pytest.raises(ProblemError, match="another key"):
        stranger.send(lease.id, 0, chunk(lease, 0))
    with pytest.raises(ProblemError, match="another key"):
        stranger.lease(agent_id, BOARD.to_json(), {})
    with pytest.raises(InvalidRequest, match="not a target"):
        agents.lease(agent_id, {**BOARD.to_json(), "threads": 2}, {})  # edited: its id says so
    assert key


def test_a_changed_device_is_another_target(running: Running) -> None:
    running.campaign(items=1, per_task=1)
    agents, agent_id, _ = running.enrol()
    assert agents.lease(agent_id, OTHER.to_json(), {"protocol": 1}) is None
    (known,) = AgentsApi(running.client()).all()
    assert known.target == OTHER.id
    assert leased(agents, agent_id).target == BOARD.id


def test_waiting_agents_get_work_when_there_is_some(running: Running) -> None:
    agents, agent_id, _ = running.enrol()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agents.lease, agent_id, BOARD.to_json(), {"protocol": 1}, 20.0)
        running.campaign(items=1, per_task=1)
        assert waiting.result() is not None


def test_a_round_ends_with_its_budget(running: Running) -> None:
    campaign = running.campaign(items=4, per_task=1, budget_s=2.5)
    agents, agent_id, _ = running.enrol()
    for _ in range(3):
        lease = leased(agents, agent_id)
        agents.send(lease.id, 0, chunk(lease, 0))
    made = CampaignsApi(running.client()).get(campaign)
    assert (made.state, made.tasks.done, made.tasks.cancelled) == ("planning", 3, 1)


def test_campaigns_are_paused_resumed_cancelled_and_followed(running: Running) -> None:
    campaigns = CampaignsApi(running.client())
    agents, agent_id, _ = running.enrol()
    campaign = running.campaign(items=2, per_task=2)
    assert campaigns.pause(campaign).state == "paused"
    assert agents.lease(agent_id, BOARD.to_json(), {}) is None
    assert campaigns.resume(campaign).state == "measuring"
    lease = leased(agents, agent_id)
    assert campaigns.cancel(campaign).state == "cancelled"
    with pytest.raises(ProblemError) as stale:
        agents.heartbeat(lease.id, HeartbeatRequest(fence=lease.fence))
    assert stale.value.status == 409
    receipt = agents.send(lease.id, 0, chunk(lease, 0))
    assert (receipt.new, receipt.counts) == (True, False)
    assert campaigns.resume(campaign).state == "cancelled"
    headers = {"authorization": f"Bearer {running.admin}"}
    events = httpx.get(f"{running.url}/v1/campaigns/{campaign}/events", headers=headers, timeout=30).text
    states = [json.loads(line[6:]).get("state") for line in events.splitlines() if line.startswith("data: ")]
    assert states == ["planning", "measuring", "paused", "measuring", "cancelled"]
    with pytest.raises(NotFound):
        campaigns.get("nothing")


def test_what_cannot_be_measured_is_refused_at_once(running: Running) -> None:
    campaigns = CampaignsApi(running.client())
    with pytest.raises(NotFound, match="no agent has enrolled"):
        campaigns.start(CampaignRequest())
    running.enrol()
    with pytest.raises(InvalidRequest, match="needs architectures"):
        campaigns.start(CampaignRequest(goal="measure"))
    with pytest.raises(NotFound):
        campaigns.start(CampaignRequest(search_space="nothing"))
    with pytest.raises(NotFound):
        campaigns.start(CampaignRequest(target="nothing"))
    graph = {"format": "graph", "graph": write_json(sample("resnet", 3))}
    made = campaigns.start(CampaignRequest.model_validate({"architectures": [graph], "goal": "measure"}))
    assert (made.state, made.target, made.rounds) == ("planning", BOARD.id, 1)
    assert [one.id for one in campaigns.newest()] == [made.id]
