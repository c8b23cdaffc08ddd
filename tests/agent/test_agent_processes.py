"""Agents as processes against a real service: what they measure arrives once, whoever is killed."""

from __future__ import annotations

import json
import random
import stat
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from archgauge_client import Client
from archgauge_client.agents import Agents, Campaigns
from archgauge_client.wire_agents import Campaign, CampaignRequest
from benchmarks.processes import ServerPart
from graphs import write_json
from graphs.spaces import sample
from lookup_tables import Measurement, Target
from profilers.agent import Agent, Home, Limits, Pace
from profilers.agent.describing import Wanted
from service.db import Measurements, Tasks
from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store

Wait = Callable[[Callable[[], Any]], Any]
AddCampaign = Callable[[Store, int, int], str]


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(folder, embedded_worker=False, refresh_s=0.0, **more)


def once_each(store: Store, campaign: str, target: Target, networks: int) -> list[Measurement]:
    """Every network of a campaign was measured, and counts once."""
    with store.database.read() as session:
        records = Measurements(session).of([task.origin for task in Tasks(session).of(campaign)])
        assert Tasks(session).count(campaign).keys() == {"done"}
    assert Counter(m.context for m in records) == Counter(f"resnet:{seed}" for seed in range(networks))
    assert all(m.ok and m.sentinel_us for m in records), [m.detail for m in records if not m.ok]
    return records


def test_an_agent_enrols_measures_and_keeps_its_key(
    tmp_path: Path, target: Target, start_agent: Callable[..., Any], add_campaign: AddCampaign, wrong_clock: Path
) -> None:
    """Also one whose clock is wrong by more than tokens, leases and heartbeats last."""
    with Store.open(tmp_path / "state") as store:
        _, admin = create_key(store.database, "me", ["admin"])
        campaign = add_campaign(store, 3, 2)
        with in_background(settings(tmp_path / "state")) as url, Client(url, api_key=admin) as client:
            token = Agents(client).invite("board", expires_in_s=600).token
            agent = start_agent(url, "--token", token, "--once", paths=(wrong_clock,))
            assert agent.process.wait(60) == 0, agent.log.read_text()
            assert Campaigns(client).get(campaign).tasks.done == 1 and agent.left() == []
            file = agent.home / "agent" / "agent.json"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600 and json.loads(file.read_text())["key"]
            agent.start()  # the token is used up, the key is not
            assert agent.process.wait(60) == 0, agent.log.read_text()
            (known,) = Agents(client).all()
            assert (known.name, known.target) == ("board", target.id)
        records = once_each(store, campaign, target, 3)
        assert min(record.started_at for record in records) > time.time() + 600.0


def test_measuring_goes_on_without_a_server_and_arrives_later(
    tmp_path: Path, target: Target, start_agent: Callable[..., Any], add_campaign: AddCampaign, wait_for: Wait
) -> None:
    with Store.open(tmp_path / "state") as store:
        campaign = add_campaign(store, 3, 3)
        with in_background(settings(tmp_path / "state")) as url:
            agent = start_agent(url)
            wait_for(lambda: any((folder / "spool.ndjson").exists() for folder in agent.left()))
        wait_for(lambda: sum(len(f.read_bytes().splitlines()) for f in agent.home.rglob("spool.ndjson")) == 4)
        agent.kill()
        port = url.rpartition(":")[2]
        with in_background(settings(tmp_path / "state"), port=int(port)):
            agent.start()
            wait_for(lambda: agent.left() == [])
        once_each(store, campaign, target, 3)


def test_a_task_is_not_kept_through_the_night(
    tmp_path: Path, add_campaign: AddCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured before counts, the rest is for others."""
    said = list[str]()

    class Dusk(Pace):
        def reason_to_wait(self, now: datetime | None = None) -> str | None:
            return "night" if any("measured in" in line for line in said) else None

    monkeypatch.setattr("profilers.agent.agent._HOLD_S", 0.0)
    with Store.open(tmp_path / "state") as store:
        campaign = add_campaign(store, 2, 2)
        with in_background(settings(tmp_path / "state")) as url:
            wanted = Wanted(1, "fake", "FakeProvider", "none")
            Agent(url, Home(tmp_path / "agent"), wanted, pace=Dusk(), limits=Limits(once=True), say=said.append).run()
        assert measured(store, campaign) == 1 and Home(tmp_path / "agent").leases() == []
        with store.database.read() as session:
            assert Tasks(session).count(campaign) == {"queued": 1}


@pytest.mark.slow
def test_whoever_is_killed_loses_nothing(
    tmp_path: Path, postgres_url: str, target: Target, start_agent: Callable[..., Any], add_campaign: AddCampaign,
    wait_for: Wait,
) -> None:  # fmt: skip
    rng = random.Random(5)
    server = ServerPart(
        {
            "ARCHGAUGE_DATA_DIR": str(tmp_path / "state"), "ARCHGAUGE_DATABASE_URL": postgres_url,
            "ARCHGAUGE_LEASE_TTL_S": "4", "ARCHGAUGE_EMBEDDED_WORKER": "no",
        },
        tmp_path / "server.log",
    )  # fmt: skip
    try:
        with Store.open(tmp_path / "state", postgres_url) as store:
            campaign = add_campaign(store, 5, 1)
            agents = [start_agent(server.url, name=name) for name in ("a", "b")]
            wait_for(lambda: measured(store, campaign) > 0)
            for victim in (rng.choice(agents), server, rng.choice(agents)):
                victim.kill()
                victim.start()
                time.sleep(rng.uniform(0.3, 1.5))
            wait_for(lambda: measured(store, campaign) == 5 and not any(agent.left() for agent in agents))
            once_each(store, campaign, target, 5)
    finally:
        server.stop()


def measured(store: Store, campaign: str) -> int:
    with store.database.read() as session:
        return len(Measurements(session).of([task.origin for task in Tasks(session).of(campaign)]))


@pytest.mark.slow
def test_a_campaign_from_request_to_promotion(
    tmp_path: Path, start_agent: Callable[..., Any], made_meter: Path, wait_for: Wait
) -> None:
    """With the real runtime: measured, trained, promoted, and the answer comes from there. Then finalists of a search
    come back as ground truth, with their energy since there is a meter.
    """
    graph = write_json(sample("resnet", 3))
    with in_background(Settings(tmp_path / "state", job_poll_s=0.1)) as url, Client(url) as client:
        agent = start_agent(url, "--meter", "made", paths=(made_meter,), fake=False)
        (known,) = wait_for(lambda: Agents(client).all())

        def carried_out(request: dict[str, Any]) -> Campaign:
            made = Campaigns(client).start(CampaignRequest.model_validate(request))
            done: Campaign = wait_for(lambda: (c := Campaigns(client).get(made.id)).finished_at and c)
            assert done.state == "succeeded", (done, agent.log.read_text()[-500:])
            return done

        done = carried_out({"budget_s": 5.0, "rounds": 2, "items_per_task": 4})
        assert done.result["promoted"] and done.round in (1, 2) and done.spent_s > 0
        (answer,) = client.predict(graph).predictions
        assert (answer.target, answer.provenance.predictor) == (known.target, done.result["predictor"])
        assert answer.complete and answer.latency_ms.value > 0

        done = carried_out({"architectures": [{"format": "graph", "graph": graph}], "goal": "measure"})
        (found,) = done.result["measured"]
        assert found["error"] is None and found["latency_ms"]["median"] > 0
        energy = found["energy_mj"]
        assert (energy["method"], energy["scope"]) == ("counter", "package")
        assert 0 < energy["value"] < 1.5 * 40.0 * found["latency_ms"]["median"] and energy["gross"] > energy["value"]
