"""From an empty folder to a promoted predictor by the agent alone, and networks measured after they were predicted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from archgauge.output import stdout, table
from archgauge_client import Client
from archgauge_client.agents import Agents, Campaigns
from archgauge_client.wire_agents import Campaign, CampaignRequest
from benchmarks.agents.parts import AgentPart, settings_of, start_server
from graphs import write_json
from graphs.spaces import sample
from service.keys import create_key
from service.store import Store

_LOOK_EVERY_S = 2.0
_LIMIT_S = 3600.0
#: Families and a seed that no plan uses.
_SEED = 2_000_000_000
_FAMILIES = (
    "resnet-whole", "mbconv-whole", "vit-whole", "densenet-whole", "shufflenet-whole", "inception-whole",
    "convnext-whole", "ghostnet-whole",
)  # fmt: skip


def go_round(folder: Path, budget_s: float, finalists: int) -> bool:
    """Print what happens; whether a predictor was promoted and every finalist was measured."""
    with Store.open(folder / "state") as store:
        _, admin = create_key(store.database, "me", ["admin"])
    server = start_server(folder, settings_of(folder / "state"))
    with Client(server.url, api_key=admin) as client:
        token = Agents(client).invite("this machine").token
        agent = AgentPart(server.url, folder / "device", "--token", token)
        try:
            _wait_for_agent(client, agent)
            learnt = _follow(client, CampaignRequest(budget_s=budget_s))
            stdout().print(f"{learnt.state}: {learnt.error or learnt.result}")
            return bool(learnt.result.get("promoted")) and _measure_finalists(client, finalists)
        finally:
            agent.stop()
            server.stop()


def _wait_for_agent(client: Client, agent: AgentPart) -> None:
    end = time.monotonic() + 120.0
    while not Agents(client).all():
        if time.monotonic() > end or agent.process.poll() is not None:
            raise RuntimeError(f"the agent did not enrol:\n{agent.log.read_text()[-3000:]}")
        time.sleep(0.5)


def _follow(client: Client, request: CampaignRequest) -> Campaign:
    campaigns, said = Campaigns(client), ""
    made, end = campaigns.start(request).id, time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        seen = campaigns.get(made)
        words = f"{seen.state}, round {seen.round} of {seen.rounds}"
        if words != said:
            stdout().print(f"{words}, {seen.spent_s:.0f} s measured", highlight=False)
        said = words
        if seen.finished_at is not None:
            return seen
        time.sleep(_LOOK_EVERY_S)
    raise RuntimeError("the campaign does not end")


def _measure_finalists(client: Client, number: int) -> bool:
    graphs = [write_json(sample(family, _SEED)) for family in _FAMILIES[:number]]
    predicted = [client.predict(graph).predictions[0].latency_ms for graph in graphs]
    wanted: dict[str, Any] = {
        "goal": "measure", "architectures": [{"format": "graph", "graph": graph} for graph in graphs],
    }  # fmt: skip
    done = _follow(client, CampaignRequest.model_validate(wanted))
    rows = table("network", "predicted ms", "measured ms", "error")
    good = True
    for told, before in zip(done.result["measured"], predicted, strict=True):
        if told["latency_ms"] is None:
            rows.add_row(told["name"], f"{before.value:.3g}", told["error"], "")
            good = False
            continue
        after = told["latency_ms"]["median"]
        rows.add_row(told["name"], f"{before.value:.3g}", f"{after:.3g}", f"{before.value / after - 1:+.1%}")
    stdout().print(rows)
    return good
