"""What an agent takes while there is nothing to do, before its first task and after some."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from archgauge_client import Client
from archgauge_client.agents import Agents
from benchmarks.agents.parts import AgentPart

_LIMIT_S = 300.0
#: What it did last is over after this.
_CALM_S = 3.0


@dataclass(frozen=True)
class Rest:
    """The most MiB that were resident, and the share of one processor, children included."""

    resident_mib: float
    processor: float


def rest(agent: AgentPart, seconds: float) -> Rest:
    """Look at an agent that has nothing to do."""
    time.sleep(_CALM_S)
    process = psutil.Process(agent.process.pid)
    before, began, most = sum(process.cpu_times()[:4]), time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        time.sleep(1.0)
        most = max(most, agent.resident_mib())
    used = sum(process.cpu_times()[:4]) - before
    return Rest(most, used / (time.monotonic() - began))


def wait_until_enrolled(url: str) -> None:
    """Until a service knows of an agent."""
    with Client(url) as client:
        wait_until(lambda: bool(Agents(client).all()), "the agent did not enrol")


def wait_until(true: Callable[[], bool], complaint: str) -> None:
    """Raises RuntimeError with the complaint where it never is."""
    end = time.monotonic() + _LIMIT_S
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(complaint)
        time.sleep(0.5)
