"""Many agents that measure nothing: they ask for work, send heartbeats, and results that were made up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict

import httpx

from lookup_tables import Measurement, PlanItem
from profilers.agent.describing import Wanted, describe

#: Seconds between heartbeats, a third of the documented lease; and that measuring an item is said to take.
_HEARTBEAT_S = 20.0
_ITEM_S = 5.0
_WAIT_S = 25.0


class Crowd:
    """``times`` are seconds per kind of call. Waiting for work counts as a call only where work was there."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self._number = number
        self._target = describe(Wanted(1, "fake", "FakeProvider")).target.to_json()
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Let them live for so long."""
        asyncio.run(self._live(seconds))

    async def _live(self, seconds: float) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self._url, timeout=60.0, limits=limits) as client:
            agents = [asyncio.create_task(self._agent(client, seconds * n / self._number / 3, seconds))
                      for n in range(self._number)]  # fmt: skip
            await asyncio.gather(*agents)

    async def _agent(self, client: httpx.AsyncClient, delay_s: float, seconds: float) -> None:
        end = time.monotonic() + seconds
        await asyncio.sleep(delay_s)
        body = {"name": "simulated", "target": self._target, "facts": {"protocol": 1}}
        made = await self._call("enrol", client.post("/v1/agents", json=body))
        while made is not None and time.monotonic() < end:
            left = max(0.0, min(_WAIT_S, end - time.monotonic()))
            question = {"agent": made["id"], "target": self._target, "wait_s": left}
            asked_at = time.perf_counter()
            answer = await self._call("lease", client.post("/v1/leases", json=question))
            if answer is not None and answer["lease"] is None:
                self.times["no lease, beyond the wait"].append(time.perf_counter() - asked_at - left)
            if answer is not None and answer["lease"] is not None:
                await self._work(client, answer["lease"], end)

    async def _work(self, client: httpx.AsyncClient, lease: dict, end: float) -> None:  # type: ignore[type-arg]
        beaten = time.monotonic()
        for entry in lease["items"]:
            await asyncio.sleep(min(_ITEM_S, max(0.0, end - time.monotonic())))
            item = PlanItem.from_json(entry["item"])
            record = Measurement("whole_model", latency_us=100.0, context=item.network, split=item.split)
            chunk = {"fence": lease["fence"], "item": item.key, "repetition": 0, "seconds": _ITEM_S,
                     "records": [record.to_json()]}  # fmt: skip
            await self._call("results", client.put(f"/v1/leases/{lease['id']}/results/{entry['index']}", json=chunk))
            if time.monotonic() - beaten > _HEARTBEAT_S / 2:
                beaten = time.monotonic()
                said = client.post(f"/v1/leases/{lease['id']}/heartbeat", json={"fence": lease["fence"]})
                await self._call("heartbeat", said)

    async def _call(self, name: str, call: object) -> dict | None:  # type: ignore[type-arg]
        began = time.perf_counter()
        try:
            response = await call  # type: ignore[misc]
        except httpx.HTTPError:
            self.errors[name] += 1
            return None
        if response.status_code >= 400:
            self.errors[name] += 1
            return None
        answer: dict = response.json()  # type: ignore[type-arg]
        if name != "lease" or answer["lease"] is not None:
            self.times[name].append(time.perf_counter() - began)
        return answer
