"""Many agents that measure nothing: they ask for work, send heartbeats, and results that were made up.

They wait until a campaign begins, so that in its first second all of them get a task, and are in step at first.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from archgauge.output import stdout, table
from benchmarks.agents.connection import Connection
from benchmarks.figures import Figure, as_table
from graphs import lower
from graphs.spaces import sample
from lookup_tables import Measurement, PlanItem, Target

#: Between heartbeats, of a lease's time; as `profilers.agent.heart`.
_BEAT_SHARE = (0.8 / 3, 1 / 3)
_WAIT_S = 25.0
#: What 99 of 100 calls about leases may take.
_LATE_MS = 200.0
#: Enrolments under way at a time.
_AT_THE_DOOR = 8
#: What comes in so soon after the campaign began is told apart.
RUSH_S = 10.0
_PLACE = "a-network-that-is-none"


@dataclass(frozen=True, slots=True)
class Call:
    """``late_s`` is what an answer took beyond what was asked for; ``rush`` in the first seconds of the campaign."""

    kind: str
    late_s: float
    rush: bool


class Crowd:
    """``item_s`` is what measuring an item takes on average, each with so many ``records``."""

    def __init__(self, port: int, target: Target, number: int, item_s: float, records: int) -> None:
        self._port = port
        self._number = number
        self._item_s = item_s
        self._target = target.to_json()
        self._records = _records(target, records)
        self._began = float("inf")
        self.calls: list[Call] = []
        self.errors: Counter[str] = Counter()

    def run(self, seconds: float, begin: Callable[[], None]) -> None:
        """Enrol, wait, ``begin`` the campaign, and measure for so long."""
        asyncio.run(self._live(seconds, begin))

    def times(self) -> dict[str, list[float]]:
        """Seconds by kind of call, sorted."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for call in self.calls:
            found[f"{call.kind}, at the beginning" if call.rush else call.kind].append(call.late_s)
        return {kind: sorted(times) for kind, times in sorted(found.items())}

    async def _live(self, seconds: float, begin: Callable[[], None]) -> None:
        door = asyncio.Semaphore(_AT_THE_DOOR)
        connections = [Connection(self._port) for _ in range(self._number)]
        ids = await asyncio.gather(*(self._enrol(connection, door) for connection in connections))
        agents = [
            asyncio.create_task(self._agent(connection, agent))
            for connection, agent in zip(connections, ids, strict=True)
            if agent is not None
        ]
        await asyncio.sleep(_WAIT_S)  # long enough for all to have asked twice
        await asyncio.to_thread(begin)
        self._began = time.monotonic()
        await asyncio.sleep(RUSH_S + seconds)
        for agent in agents:
            agent.cancel()
        await asyncio.gather(*agents, return_exceptions=True)
        for connection in connections:
            connection.close()

    async def _enrol(self, connection: Connection, door: asyncio.Semaphore) -> str | None:
        body = {"name": "simulated", "target": self._target, "facts": {"protocol": 1}}
        async with door:
            made = await self._call("enrol", connection, "POST", "/v1/agents", body)
        return None if made is None else str(made["id"])

    async def _agent(self, connection: Connection, agent: str) -> None:
        await asyncio.sleep(random.uniform(0.0, _WAIT_S / 2))
        while True:
            question = {"agent": agent, "target": self._target, "wait_s": _WAIT_S}
            answer = await self._call("lease", connection, "POST", "/v1/leases", question)
            if answer is not None and answer["lease"] is not None:
                await self._work(connection, answer["lease"])

    async def _work(self, connection: Connection, lease: dict[str, Any]) -> None:
        alive = asyncio.create_task(self._beat(lease))
        try:
            for entry in lease["items"]:
                await asyncio.sleep(self._item_s * random.uniform(0.5, 1.5))
                item = PlanItem.from_json(entry["item"])
                head = {"fence": lease["fence"], "item": item.key, "repetition": 0, "seconds": self._item_s}
                records = self._records.replace(_PLACE.encode(), item.network.encode())
                chunk = orjson.dumps(head)[:-1] + b',"records":' + records + b"}"
                await self._call(
                    "results", connection, "PUT", f"/v1/leases/{lease['id']}/results/{entry['index']}", chunk
                )
        finally:
            alive.cancel()

    async def _beat(self, lease: dict[str, Any]) -> None:
        """Over a connection of its own, as a heart has a thread of its own."""
        connection = Connection(self._port)
        said = {"fence": lease["fence"], "temperature_c": 51.5, "sentinel_us": 100.0}
        try:
            while True:
                await self._call("heartbeat", connection, "POST", f"/v1/leases/{lease['id']}/heartbeat", said)
                await asyncio.sleep(lease["ttl_s"] * random.uniform(*_BEAT_SHARE))
        finally:
            connection.close()

    async def _call(self, kind: str, connection: Connection, method: str, path: str, body: Any) -> Any:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        began, at = time.perf_counter(), time.monotonic()
        try:
            status, answer = await connection.ask(method, path, data)
        except OSError as error:
            self.errors[f"{kind}: {error}"] += 1
            await asyncio.sleep(1.0)
            return None
        took = time.perf_counter() - began
        if status >= 400:
            self.errors[f"{kind}: {answer.get('title', status)}"] += 1
            return None
        rush = self._began <= at + took <= self._began + RUSH_S
        if kind == "lease":
            kind, took = self._asked(at, took, answer)
        self.calls.append(Call(kind, took, rush))
        return answer

    def _asked(self, at: float, took: float, answer: Any) -> tuple[str, float]:
        """What a question for work took: from when there was work, or beyond the wait."""
        if answer["lease"] is None:
            return "no lease", took - _WAIT_S
        return "lease", took if at > self._began else at + took - self._began


def report_crowd(made: Crowd, used: float) -> bool:
    """Print what calls took; whether those about leases were fast, and nothing was refused."""
    rows, figures = table("call", "number", "p50 ms", "p99 ms", "most ms"), []
    for kind, times in made.times().items():
        p50, p99, most = (1e3 * times[min(int(share * len(times)), len(times) - 1)] for share in (0.5, 0.99, 1.0))
        rows.add_row(kind, f"{len(times):,}", f"{p50:.1f}", f"{p99:.1f}", f"{most:.1f}")
        if kind in ("lease", "no lease", "heartbeat", "results"):
            figures.append(Figure(f"{kind}, p99", p99, " ms", at_most=_LATE_MS))
    stdout().print(rows)
    stdout().print(as_table([*figures, Figure("of a processor, the server", 100 * used, " %")]))
    for what, number in made.errors.most_common():
        stdout().print(f"{number} {what}", highlight=False)
    return all(figure.met for figure in figures) and not made.errors


def _records(target: Target, number: int) -> bytes:
    """JSON of as many kernels as a network may have."""
    kernels = lower(sample("mbconv-whole", 1), target.lowering)
    made = [
        Measurement(
            "in_network", kernels[place % len(kernels)], "0" * 64, 100.0, 99.0, 104.0, runs=40, context=_PLACE,
            position=place, session="a-session", sentinel_us=100.0, started_at=1.8e9,
        ).to_json()
        for place in range(number)
    ]  # fmt: skip
    return orjson.dumps(made)
