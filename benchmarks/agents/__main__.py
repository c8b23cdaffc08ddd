"""Kill agents, server and network at random moments, and count what arrived; or let many agents wait at one server.

    python -m benchmarks.agents kill [--kills 200] [--agents 3] [--database-url URL]
    python -m benchmarks.agents crowd [--agents 1000] [--seconds 60]

Agents measure with the fake runtime. `kill` fails unless every network of the campaign counts exactly once.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from archgauge.output import stdout, table
from benchmarks.agents.crowd import Crowd
from benchmarks.agents.processes import AgentProcess, ServerProcess
from lookup_tables import PlanItem
from profilers.agent.describing import Wanted, describe
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Measurements, Tasks
from service.store import Store

#: Networks for every kill, so that there is always something under way.
_PER_KILL = 3
#: How long to wait for the rest, once nobody is killed any more.
_PATIENCE_S = 900.0


@click.group()
def main() -> None:
    """Agents under stress."""


@main.command()
@click.option("--kills", default=200, show_default=True)
@click.option("--agents", default=3, show_default=True)
@click.option("--database-url", default="")
@click.option("--seed", default=0)
def kill(kills: int, agents: int, database_url: str, seed: int) -> None:
    """Kill whoever comes, and count in the end."""
    rng, killed = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "state", database_url) as store:
        networks = kills * _PER_KILL
        campaign = add_campaign(store, networks)
        server = ServerProcess(Path(folder) / "state", database_url)
        devices = [AgentProcess(server.url, Path(folder) / f"device-{number}") for number in range(agents)]
        try:
            for number in range(kills):
                time.sleep(rng.uniform(0.2, 6.0))
                who = rng.choice(["server", "network", *["agent"] * 4])
                killed[who] += 1
                if who == "agent":
                    rng.choice(devices).again()
                elif who == "server":
                    server.again(rng.uniform(0.0, 2.0))
                else:  # nobody answers, connections stay open
                    server.freeze(rng.uniform(0.5, 12.0))
                stdout().print(f"{number + 1:4d}  {who:8s} {measured(store, campaign):6,d} of {networks:,}")
            wait(store, campaign, networks, devices)
        finally:
            for part in (*devices, server):
                part.close()
        told = report(store, campaign, networks, killed)
    sys.exit(0 if told else 1)


@main.command()
@click.option("--agents", default=1000, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--database-url", default="")
def crowd(agents: int, seconds: float, database_url: str) -> None:
    """How long calls about leases take when many agents wait, lease, and send heartbeats and results."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "state", database_url) as store:
        add_campaign(store, 4 * agents)
        server = ServerProcess(Path(folder) / "state", database_url)
        try:
            made = Crowd(server.url, agents)
            made.run(seconds)
        finally:
            server.close()
    rows = table("call", "number", "p50 ms", "p99 ms", "errors")
    for name, times in sorted(made.times.items()):
        times.sort()
        middle, late = times[len(times) // 2], times[int(0.99 * len(times))]
        rows.add_row(name, f"{len(times):,}", f"{1e3 * middle:.1f}", f"{1e3 * late:.1f}", str(made.errors[name]))
    stdout().print(rows)


def add_campaign(store: Store, networks: int) -> str:
    """A campaign whose tasks are there; no job has a part in it."""
    target = describe(Wanted(1, "fake", "FakeProvider")).target
    store.register_target(target)
    plan = [PlanItem("resnet", seed, "whole_model") for seed in range(networks)]
    with store.database.write() as session:
        document = {"budget_s": 1e9, "rounds": 1, "goal": "learn", "name": "", "architectures": []}
        made = Campaigns(session).add(target.id, document, "benchmark")
        Tasks(session).add(made.id, target.id, 1, tasks_of(plan, 4, 1))
        Campaigns(session).measure(made.id, 1)
    return made.id


def measured(store: Store, campaign: str) -> int:
    """Measurements that count."""
    return len(contexts(store, campaign))


def contexts(store: Store, campaign: str) -> list[str]:
    with store.database.read() as session:
        origins = [task.origin for task in Tasks(session).of(campaign)]
        found = []
        for start in range(0, len(origins), 200):
            found += [m.context for m in Measurements(session).of(origins[start : start + 200])]
    return found


def wait(store: Store, campaign: str, networks: int, devices: list[AgentProcess]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if measured(store, campaign) >= networks and not any(device.left() for device in devices):
            return
        time.sleep(1.0)


def report(store: Store, campaign: str, networks: int, killed: Counter[str]) -> bool:
    """Print what came of it; whether every network counts once."""
    times = Counter(contexts(store, campaign))
    with store.database.read() as session:
        states = Tasks(session).count(campaign)
        failed = sum(not m.ok for task in Tasks(session).of(campaign) for m in Measurements(session).of([task.origin]))
    missing = networks - len(times)
    twice = sum(count > 1 for count in times.values())
    rows = table("what", "value", words=("value",))
    rows.add_row("killed", ", ".join(f"{who}: {count}" for who, count in killed.items()))
    rows.add_row("tasks", ", ".join(f"{state}: {count}" for state, count in states.items()))
    rows.add_row("networks, missing, twice", f"{networks:,}, {missing}, {twice}")
    rows.add_row("recorded as failed", str(failed))
    stdout().print(rows)
    return missing == 0 and twice == 0


if __name__ == "__main__":
    main()
