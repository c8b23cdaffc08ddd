"""From enrolment to a table version: the agent on the emulated machine, and a service that does not trust its times."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from archgauge_client import Client
from archgauge_client.wire_agents import Agent, Campaign, CampaignRequest
from benchmarks.emulated_arm.machine import EmulatedArm
from graphs import write_onnx
from graphs.spaces import sample
from lookup_tables import read_table
from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store

#: For the whole of it; an emulated processor is some twenty times slower.
_PATIENCE_S = 1500.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen, in words, and whether it is what has to be."""

    seen: dict[str, str]
    holds: bool


def prove(machine: EmulatedArm, folder: Path, budget_s: float, say: Callable[[str], None]) -> Proof:
    """Enrol, lease, measure, upload, make a table and a predictor, and try to promote it."""
    settings = Settings(folder / "state", lease_ttl_s=60.0)
    with Store.open(folder / "state") as store:
        _, key = create_key(store.database, "me", ["admin", "predict"])
        with in_background(settings) as url, Client(url, api_key=key) as client:
            token = client.agents.invite("emulated board").token
            device = _start_agent(machine, folder / "device", url, token)
            try:
                agent = _enrolled(client, device)
                say(f"enrolled: {agent.target}")
                request = CampaignRequest(target=agent.target, budget_s=budget_s, rounds=1, items_per_task=2)
                campaign = _finished(client, client.campaigns.start(request).id, say)
            finally:
                device.terminate()
                device.wait(60)
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60.0) as asker:
                return _judge(store, asker, campaign)


def _start_agent(machine: EmulatedArm, home: Path, url: str, token: str) -> subprocess.Popen[bytes]:
    home.mkdir(parents=True)
    command = [str(machine.python), "-m", "archgauge", "agent", "--server", url, "--token", token]
    with (home / "agent.log").open("wb") as log:
        return subprocess.Popen([*command, "--data-dir", str(home)], cwd=home, stdout=log, stderr=log)


def _enrolled(client: Client, device: subprocess.Popen[bytes]) -> Agent:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and device.poll() is None:
        found = client.agents.all()
        if found:
            return found[0]
        time.sleep(1.0)
    raise RuntimeError("the agent did not enrol; agent.log in its folder says why")


def _finished(client: Client, campaign_id: str, say: Callable[[str], None]) -> Campaign:
    end, before = time.monotonic() + _PATIENCE_S, ""
    while time.monotonic() < end:
        campaign = client.campaigns.get(campaign_id)
        spent = f"{campaign.spent_s:.0f} of {campaign.budget_s:.0f} s measured"
        now = f"{campaign.state}, {spent}, {campaign.tasks.done} tasks done"
        if now != before:
            say(now)
        before = now
        if campaign.finished_at is not None:
            return campaign
        time.sleep(2.0)
    raise RuntimeError("the campaign did not end in time")


def _judge(store: Store, asker: httpx.Client, campaign: Campaign) -> Proof:
    """The table's records are marked, its predictor answers nobody, and asking for a promotion is refused."""
    if campaign.state != "succeeded":
        return Proof({"campaign": f"{campaign.state}: {campaign.error}"}, False)
    table = read_table(store.table_version(store.table(campaign.result["table"], campaign.target)))
    records = Counter(m.error or f"{m.mode}, measured" for m in table.measurements)
    promotion = asker.post(f"/v1/predictors/{campaign.result['predictor']}/promote")
    prediction = asker.post(f"/v1/predictions/onnx?target={campaign.target}", content=write_onnx(sample("resnet", 1)))
    result = campaign.result
    seen = {
        "target": campaign.target,
        "lowering": str(table.target.lowering),
        "table": f"{result['table']}, emulated: {table.target.emulated}",
        "records": ", ".join(f"{count} {what}" for what, count in sorted(records.items())),
        "predictor": f"{result['predictor']}, promoted: {result['promoted']} ({result['why']})",
        "promoting it by hand": _refusal(promotion),
        "asking it": _refusal(prediction),
    }
    measured = table.target.emulated and any(m.ok for m in table.measurements)
    refused = not campaign.result["promoted"] and promotion.status_code == 409 and not prediction.is_success
    return Proof(seen, measured and refused)


def _refusal(answer: httpx.Response) -> str:
    """What the service says."""
    return f"{answer.status_code} {answer.json().get('detail', answer.text[:300])}"
