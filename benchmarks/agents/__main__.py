"""Agents under stress, in a crowd, at rest, and at their real work.

    python -m benchmarks.agents kill [--kills 200] [--agents 3] [--database postgresql]
    python -m benchmarks.agents crowd [--agents 1000] [--seconds 60]
    python -m benchmarks.agents idle [--seconds 60]
    python -m benchmarks.agents loop [--budget 300]

`kill` uses the fake runtime, and fails unless everything that was acknowledged is there once and every campaign ended
well. `loop` goes with the installed runtime from an empty folder to a promoted predictor, and measures networks that
were chosen by nobody as finalists of a search would be.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import click

from archgauge.output import stdout, table
from benchmarks.agents.counting import Count, count
from benchmarks.agents.crowd import Crowd
from benchmarks.agents.killing import Scene
from benchmarks.agents.loop import go_round
from benchmarks.agents.parts import AgentPart, settings_of, start_server
from benchmarks.agents.resting import rest
from benchmarks.postgres import PostgresServer
from lookup_tables import PlanItem
from profilers.agent.describing import Wanted, describe
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Tasks
from service.store import Store


@click.group()
def main() -> None:
    """Agents under stress, in a crowd, at rest, and at their real work."""


@main.command()
@click.option("--kills", default=200, show_default=True)
@click.option("--agents", default=3, show_default=True)
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--pause", default=4.0, show_default=True, help="Seconds between kills, at most.")
@click.option("--seed", default=0)
def kill(kills: int, agents: int, database: str, pause: float, seed: int) -> None:
    """Kill whoever comes, and cut the network in between; count in the end."""
    rng, began = random.Random(seed), time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archgauge-kill-")))
        server = stack.enter_context(closing(PostgresServer())) if database == "postgresql" else None
        scene = stack.enter_context(closing(Scene(folder, agents, server, rng)))
        while scene.killed < kills:
            time.sleep(rng.uniform(0.1, pause))
            what, seen = scene.strike(), scene.look()
            told = (
                "no answer" if seen is None else f"campaign {len(scene.campaigns)}, {seen.state}, {seen.spent_s:.0f} s"
            )
            stdout().print(f"{scene.killed:4d}  {time.monotonic() - began:6.0f} s  {what:9s} {told}", highlight=False)
        scene.wait()
        scene.close()
        with Store.open(folder / "state", scene.database_url) as store:
            found = count(store, scene.campaigns, scene.network.acknowledged)
        report(scene, found, time.monotonic() - began)
    sys.exit(1 if found.wrong else 0)


@main.command()
@click.option("--agents", default=1000, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--database-url", default="")
def crowd(agents: int, seconds: float, database_url: str) -> None:
    """How long calls about leases take when many agents wait, lease, and send heartbeats and results."""
    with tempfile.TemporaryDirectory() as name, Store.open(Path(name) / "state", database_url) as store:
        add_campaign(store, 4 * agents)
        settings = settings_of(Path(name) / "state", database_url, ARCHGAUGE_EMBEDDED_WORKER="no")
        server = start_server(Path(name), settings)
        try:
            made = Crowd(server.url, agents)
            made.run(seconds)
        finally:
            server.stop()
    rows = table("call", "number", "p50 ms", "p99 ms", "errors")
    for kind, times in sorted(made.times.items()):
        times.sort()
        middle, late = times[len(times) // 2], times[int(0.99 * len(times))]
        rows.add_row(kind, f"{len(times):,}", f"{1e3 * middle:.1f}", f"{1e3 * late:.1f}", str(made.errors[kind]))
    stdout().print(rows)


@main.command()
@click.option("--seconds", default=60.0, show_default=True)
def idle(seconds: float) -> None:
    """What an agent takes that has nothing to do."""
    with tempfile.TemporaryDirectory() as name:
        server = start_server(Path(name), settings_of(Path(name) / "state", ARCHGAUGE_EMBEDDED_WORKER="no"))
        agent = AgentPart(server.url, Path(name) / "device")
        try:
            found = rest(server, agent, seconds)
        finally:
            agent.stop()
            server.stop()
    stdout().print(f"{found.resident_mib:.1f} MiB resident, {found.processor:.2%} of a processor in {seconds:.0f} s")
    sys.exit(0 if found.resident_mib < 60 and found.processor < 0.01 else 1)


@main.command()
@click.option("--budget", default=300.0, show_default=True, help="Seconds of measuring.")
@click.option("--finalists", default=6, show_default=True)
def loop(budget: float, finalists: int) -> None:
    """Server, token, agent, campaign, predictor; and networks that are measured after they were predicted."""
    with tempfile.TemporaryDirectory() as name:
        sys.exit(0 if go_round(Path(name), budget, finalists) else 1)


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


def report(scene: Scene, found: Count, seconds: float) -> None:
    """Print what came of killing."""

    def listed(numbers: dict[str, int]) -> str:
        return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items()))

    rows = table("what", "value", words=("value",))
    rows.add_row("happened", listed(scene.done))
    rows.add_row("campaigns", listed(found.campaigns))
    rows.add_row("tasks", listed(found.tasks))
    rows.add_row("networks measured, records that failed", f"{found.items:,}, {found.failed.total()}")
    rows.add_row("results acknowledged, as evidence", f"{len(scene.network.acknowledged):,}, {found.late}")
    rows.add_row("acknowledgements lost on the way", str(scene.network.answers_lost))
    rows.add_row("seconds", f"{seconds:.0f}")
    stdout().print(rows)
    for why, number in found.failed.most_common(5):
        stdout().print(f"{number} failed: {why}")
    for sentence in found.wrong[:20]:
        stdout().print(sentence)
    stdout().print("nothing is missing, nothing is there twice" if not found.wrong else f"{len(found.wrong)} wrong")


if __name__ == "__main__":
    main()
