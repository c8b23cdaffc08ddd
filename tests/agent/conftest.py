"""A real service and real agents that measure with the fake runtime."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from archgauge_client.wire_agents import CampaignRequest
from lookup_tables import PlanItem, Target
from profilers.agent.describing import Wanted, describe
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Tasks
from service.store import Store

FAKE = ["--runtime", "fake", "--provider", "FakeProvider"]
LIMIT_S = 120.0


@pytest.fixture(scope="session")
def target() -> Target:
    """What this machine is with the fake runtime."""
    return describe(Wanted(1, "fake", "FakeProvider")).target


@dataclass
class AgentProcess:
    """``archgauge agent`` in a process of its own, which may be killed and started again."""

    url: str
    home: Path
    arguments: tuple[str, ...] = ()
    #: Where it finds modules before everything else.
    paths: tuple[Path, ...] = ()
    log: Path = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.log = self.home / "agent.log"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "archgauge", "agent", "--server", self.url, "--data-dir", str(self.home)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, self.paths), *sys.path])}
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen([*command, *self.arguments], stdout=stream, stderr=stream, env=environment)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def left(self) -> list[Path]:
        """Leases that are not done with."""
        return list((self.home / "agent" / "leases").glob("*"))


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    running: list[AgentProcess] = []

    def start(
        url: str, *arguments: str, name: str = "device", paths: tuple[Path, ...] = (), fake: bool = True
    ) -> AgentProcess:
        made = AgentProcess(url, tmp_path / name, (*(FAKE if fake else ()), *arguments), paths)
        running.append(made)
        return made

    yield start
    for agent in running:
        agent.process.terminate()
        try:
            agent.process.wait(20)
        except subprocess.TimeoutExpired:
            agent.kill()


#: A meter that knows what it says: idle power, and more for every second that its process computes.
MADE_METER = """
import time
from profilers.meters import Channel, Meter

class Made(Meter):
    name, method, scope, interval_s, tick_s = "made", "counter", "package", 0.005, 0.005
    channels = (Channel("all", "energy_j"),)

    def __init__(self, argument):
        pass

    def read(self):
        return (10.0 * time.monotonic() + 40.0 * time.process_time(),)
"""


@pytest.fixture
def made_meter(tmp_path: Path) -> Path:
    """A folder of modules with a distribution that adds the meter ``made``."""
    folder = tmp_path / "made-meter"
    about = folder / "made_meter-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "made_meter.py").write_text(MADE_METER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: made-meter\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[archgauge.meters]\nmade = made_meter:Made\n")
    return folder


@pytest.fixture
def wrong_clock(tmp_path: Path) -> Path:
    """A folder that makes the clocks of processes go twelve minutes fast."""
    folder = tmp_path / "wrong-clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import time\nnow = time.time\ntime.time = lambda: now() + 720.0\n")
    return folder


@pytest.fixture
def add_campaign(target: Target) -> Callable[[Store, int, int], str]:
    """A campaign that measures so many networks, so many per task; no job has a part in it."""

    def add(store: Store, items: int, per_task: int) -> str:
        store.register_target(target)
        plan = [PlanItem("resnet", seed, "whole_model") for seed in range(items)]
        document = CampaignRequest(budget_s=1e6, rounds=1).model_dump(mode="json", exclude={"target"})
        with store.database.write() as session:
            made = Campaigns(session).add(target.id, {**document, "architectures": []}, "test")
            Tasks(session).add(made.id, target.id, 1, tasks_of(plan, per_task, 1))
            Campaigns(session).measure(made.id, 1)
        return made.id

    return add


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], Any]], Any]:
    """What a function gives, once that is true."""

    def wait(what: Callable[[], Any]) -> Any:
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.1)
        raise AssertionError("it did not happen")

    return wait
