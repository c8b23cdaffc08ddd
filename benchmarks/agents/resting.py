"""What an agent takes while there is nothing to do."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from archgauge_client import Client
from archgauge_client.agents import Agents
from benchmarks.agents.parts import AgentPart
from benchmarks.processes import ServerPart

_ENROL_LIMIT_S = 120.0
#: What it did to enrol is over after this.
_CALM_S = 3.0


@dataclass(frozen=True)
class Rest:
    """The most MiB that were resident, and the share of one processor, children included."""

    resident_mib: float
    processor: float


def rest(server: ServerPart, agent: AgentPart, seconds: float) -> Rest:
    """Look at an agent of a service without campaigns."""
    end = time.monotonic() + _ENROL_LIMIT_S
    with Client(server.url) as client:
        while not Agents(client).all():
            if time.monotonic() > end:
                raise RuntimeError("the agent did not enrol")
            time.sleep(0.5)
    time.sleep(_CALM_S)
    process = psutil.Process(agent.process.pid)
    before, began, most = sum(process.cpu_times()[:4]), time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        time.sleep(1.0)
        most = max(most, agent.resident_mib())
    used = sum(process.cpu_times()[:4]) - before
    return Rest(most, used / (time.monotonic() - began))
