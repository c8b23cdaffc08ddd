"""From enrolment to a table version: the agent on the emulated machine, and a service that does not trust its times."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from archgauge_client import Client
from archgauge_client.wire_agents import Agent, Campaign, CampaignRequest
from benchmarks.emulated_arm.machine import EmulatedArm
from graphs import LoweringProfile, flops, lower, write_onnx
from graphs.spaces import sample
from lookup_tables import PlanItem, read_table
from lookup_tables.plans import Split
from profilers.protocol import PROTOCOL_VERSION
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Tasks
from service.keys import create_key
from service.server import in_background
from service.settings import Settings
from service.store import Store

#: For the whole of it, and for one network: an emulated processor is a hundred times slower.
_PATIENCE_S, _ITEM_S = 1800.0, 600.0
#: With small networks among them.
_FAMILIES = ("layouts", "mbconv", "elementwise", "lcnet", "shufflenet", "classify-maps", "conformer", "convmixer")


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen, in words, and whether it is what has to be."""

    seen: dict[str, str]
    holds: bool


def prove(machine: EmulatedArm, folder: Path, networks: int, say: Callable[[str], None]) -> Proof:
    """Enrol, lease, measure, upload, make a table and a predictor, and try to promote it."""
    with Store.open(folder / "state") as store:
        _, key = create_key(store.database, "me", ["admin", "predict"])
        with in_background(Settings(folder / "state")) as url, Client(url, api_key=key) as client:
            token = client.agents.invite("emulated board").token
            device = _start_agent(machine, folder / "device", url, token)
            try:
                agent = _enrolled(client, device, folder / "device/agent.log")
                say(f"enrolled: {agent.target}")
                campaign = _finished(client, _begin(store, agent.target, small_networks(networks)), say)
            finally:
                device.terminate()
                device.wait(60)
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60.0) as asker:
                return _judge(store, asker, campaign)


def small_networks(count: int) -> list[PlanItem]:
    """The cheapest of some families, for all that a plan has: to learn from, for composition, to be judged by."""
    profile = LoweringProfile(nchwc_block=0)
    names = [(family, seed) for family in _FAMILIES for seed in range(1, 7)]
    cheapest = sorted(names, key=lambda name: sum(map(flops, lower(sample(*name), profile))))[:count]
    splits: tuple[Split, ...] = ("train", "train", "composition", "train", "train", "holdout")
    items = []
    for index, (family, seed) in enumerate(cheapest):
        split = splits[index % len(splits)]
        items.append(PlanItem(family, seed, "in_network" if split == "train" else "network+whole", split))
    return items


def _begin(store: Store, target: str, items: Sequence[PlanItem]) -> str:
    """A campaign that measures just these: what one plans for an hour would take a day here."""
    wanted = CampaignRequest(budget_s=_PATIENCE_S, rounds=1).model_dump(mode="json", exclude={"target"})
    tasks = [task | {"limits": {"seconds": _ITEM_S}} for task in tasks_of(items, 2, PROTOCOL_VERSION)]
    with store.database.write() as session:
        made = Campaigns(session).add(target, wanted, "benchmark")
        Tasks(session).add(made.id, target, 1, tasks)
        Campaigns(session).measure(made.id, 1)
    return made.id


def _start_agent(machine: EmulatedArm, home: Path, url: str, token: str) -> subprocess.Popen[bytes]:
    home.mkdir(parents=True)
    command = [str(machine.python), "-m", "archgauge", "agent", "--server", url, "--token", token]
    with (home / "agent.log").open("wb") as log:
        return subprocess.Popen([*command, "--data-dir", str(home)], cwd=home, stdout=log, stderr=log)


def _enrolled(client: Client, device: subprocess.Popen[bytes], log: Path) -> Agent:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and device.poll() is None:
        found = client.agents.all()
        if found:
            return found[0]
        time.sleep(1.0)
    raise RuntimeError(f"the agent did not enrol:\n{log.read_text()[-3000:]}")


def _finished(client: Client, campaign_id: str, say: Callable[[str], None]) -> Campaign:
    end, before = time.monotonic() + _PATIENCE_S, ""
    while time.monotonic() < end:
        campaign = client.campaigns.get(campaign_id)
        tasks = campaign.tasks
        now = (
            f"{campaign.state}: {tasks.done} tasks done, {tasks.queued + tasks.leased} to do, {campaign.spent_s:.0f} s"
        )
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
