"""Agents under stress, in a crowd, at rest, and at their real work.

    python -m benchmarks.agents kill [--kills 200] [--agents 3] [--database postgresql]
    python -m benchmarks.agents crowd [--agents 1000] [--seconds 60] [--database postgresql]
    python -m benchmarks.agents idle [--seconds 60]
    python -m benchmarks.agents loop [--budget 300]

`kill` uses the fake runtime, and fails unless everything that was acknowledged is there once and every campaign ended
well. `loop` goes with the installed runtime from an empty folder to a promoted predictor, and measures networks that
were chosen by nobody as finalists of a search would be.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import click

from archgauge.output import stdout, table
from benchmarks.agents.counting import Count, count
from benchmarks.agents.crowd import RUSH_S, Crowd, report_crowd
from benchmarks.agents.killing import Scene
from benchmarks.agents.loop import go_round
from benchmarks.agents.parts import AgentPart, settings_of, start_server
from benchmarks.agents.resting import rest, wait_until, wait_until_enrolled
from benchmarks.agents.work import ITEMS, add_campaign, begin_campaign, is_done
from benchmarks.figures import Figure, as_table
from benchmarks.postgres import PostgresServer
from profilers.agent.describing import Wanted, describe
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
@click.option("--seconds", default=60.0, show_default=True, help="After the first seconds of the campaign.")
@click.option("--item-seconds", default=10.0, show_default=True, help="What measuring an item is said to take.")
@click.option("--records", default=80, show_default=True, help="Measurements of an item.")
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
def crowd(agents: int, seconds: float, item_seconds: float, records: int, database: str) -> None:
    """How long calls about leases take when many agents wait, lease, and send heartbeats and results."""
    target = describe(Wanted(1, "fake", "FakeProvider")).target
    tasks = agents * math.ceil((seconds + RUSH_S) / (ITEMS * item_seconds) + 1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archgauge-crowd-")))
        server = stack.enter_context(closing(PostgresServer())) if database == "postgresql" else None
        url = "" if server is None else server.create_database()
        store = stack.enter_context(Store.open(folder / "state", url))
        campaign = add_campaign(store, target, tasks)
        service = start_server(folder, settings_of(folder / "state", url, ARCHGAUGE_EMBEDDED_WORKER="no"))
        stack.callback(service.stop)
        made = Crowd(int(service.url.rpartition(":")[2]), target, agents, item_seconds, records)
        before, began = service.processor_s(), time.monotonic()
        made.run(seconds, lambda: begin_campaign(store, campaign))
        used = (service.processor_s() - before) / (time.monotonic() - began)
    sys.exit(0 if report_crowd(made, used) else 1)


@main.command()
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--tasks", default=2, show_default=True, help="Of eight networks each, with the runtime installed here.")
def idle(seconds: float, tasks: int) -> None:
    """What an agent takes that has nothing to do, before its first task and after some."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archgauge-idle-")))
        store = stack.enter_context(Store.open(folder / "state"))
        server = start_server(folder, settings_of(folder / "state", ARCHGAUGE_EMBEDDED_WORKER="no"))
        stack.callback(server.stop)
        agent = AgentPart(server.url, folder / "device")
        stack.callback(agent.stop)
        wait_until_enrolled(server.url)
        before = rest(agent, seconds)
        campaign = add_campaign(store, describe(Wanted()).target, tasks)
        begin_campaign(store, campaign)
        wait_until(lambda: is_done(store, campaign), "the tasks were not done")
        wait_until(lambda: not agent.left(), "results were not sent")
        after = rest(agent, seconds)
    figures = [
        figure
        for when, found in (("before its first task", before), (f"after {tasks} tasks", after))
        for figure in (
            Figure(f"resident {when}", found.resident_mib, " MiB", at_most=60),
            Figure(f"processor {when}", 100 * found.processor, " %", at_most=1),
        )
    ]
    stdout().print(as_table(figures))
    sys.exit(0 if all(figure.met for figure in figures) else 1)


@main.command()
@click.option("--budget", default=300.0, show_default=True, help="Seconds of measuring.")
@click.option("--finalists", default=6, show_default=True)
def loop(budget: float, finalists: int) -> None:
    """Server, token, agent, campaign, predictor; and networks that are measured after they were predicted."""
    with tempfile.TemporaryDirectory() as name:
        sys.exit(0 if go_round(Path(name), budget, finalists) else 1)


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
