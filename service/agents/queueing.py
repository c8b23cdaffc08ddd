"""Agents that wait for work. A thousand who wait cost what one does: they are looked after together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from lookup_tables import Target
from service.db import AgentRecord, Database, LeaseRecord, Leases
from service.stopping import StopSignal

#: Between looks for work as long as nobody comes anew.
_LOOK_EVERY_S = 0.5
#: Tasks that are handed out in one transaction.
_MOST = 100

Granted = Mapping[str, Sequence[LeaseRecord]]


@dataclass(eq=False, slots=True)
class _Waiter:
    agent_id: str
    lease: asyncio.Future[LeaseRecord | None]
    #: Whether there was a look since it came, before which it does not leave.
    looked: bool = False
    leaving: bool = False

    def leave(self) -> None:
        """With nothing."""
        self.leaving = True
        if self.looked and not self.lease.done():
            self.lease.set_result(None)


class Queue:
    """Hands out tasks to those who wait, first come, first served; for the tasks of one event loop."""

    def __init__(self, database: Database, ttl_s: float, stopping: StopSignal) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._stopping = stopping
        self._waiting: dict[str, list[_Waiter]] = {}
        self._came = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def wait(
        self, agent: AgentRecord, target: Target, wait_s: float, gone: Awaitable[None]
    ) -> LeaseRecord | None:
        """The next task for a target, as soon as there is one; None after so long, or when the agent is ``gone``.

        Raises DatabaseUnavailable.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(agent.id, loop.create_future())
        timer = loop.call_later(wait_s, waiter.leave)
        self._waiting.setdefault(target.id, []).append(waiter)
        self._came.set()
        if self._work is None:
            self._work = loop.create_task(self._hand_out())
        left = asyncio.ensure_future(gone)
        try:
            await asyncio.wait((waiter.lease, left), return_when=asyncio.FIRST_COMPLETED)
            return waiter.lease.result() if waiter.lease.done() else None
        finally:
            timer.cancel()
            left.cancel()
            waiter.lease.cancel()

    async def _hand_out(self) -> None:
        try:
            while self._drop_done():
                self._came.clear()
                if self._stopping.asked:
                    self._send_all_away(None)
                    continue
                try:
                    await self._look()
                except Exception as error:
                    self._send_all_away(error)
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._came.wait(), _LOOK_EVERY_S)
        finally:
            self._work = None

    async def _look(self) -> None:
        waiting = {target_id: waiters[:_MOST] for target_id, waiters in self._waiting.items()}
        everybody = [waiter for waiters in self._waiting.values() for waiter in waiters]
        asked = {target_id: [waiter.agent_id for waiter in waiters] for target_id, waiters in waiting.items()}
        granted = await asyncio.to_thread(self._grant, asked)
        unclaimed = []
        for target_id, leases in granted.items():
            for waiter, lease in zip(waiting[target_id], leases, strict=False):
                if waiter.lease.done():
                    unclaimed.append(lease)
                else:
                    waiter.lease.set_result(lease)
            if len(leases) == _MOST:
                self._came.set()  # there may be more for those behind
        for waiter in everybody:
            waiter.looked = True
            if waiter.leaving:
                waiter.leave()
        if unclaimed:
            await asyncio.to_thread(self._take_back, unclaimed)

    def _grant(self, asked: Mapping[str, Sequence[str]]) -> Granted:
        with self._database.read() as session:
            wanted = Leases(session).wanted(asked)
        granted: dict[str, Sequence[LeaseRecord]] = {}
        for target_id in sorted(wanted):
            with self._database.write_shared() as session:
                granted[target_id] = Leases(session).grant(target_id, asked[target_id], self._ttl_s)
        return granted

    def _take_back(self, leases: Sequence[LeaseRecord]) -> None:
        with self._database.write_lazily() as session:
            again = Leases(session)
            held = again.hold([lease.id for lease in leases])
            again.release([lease for lease in held.values() if lease.holds])

    def _drop_done(self) -> bool:
        """Forget who does not wait any more; returns whether somebody does."""
        self._waiting = {
            target_id: left
            for target_id, waiters in self._waiting.items()
            if (left := [waiter for waiter in waiters if not waiter.lease.done()])
        }
        return bool(self._waiting)

    def _send_all_away(self, error: Exception | None) -> None:
        for waiter in (waiter for waiters in self._waiting.values() for waiter in waiters):
            if waiter.lease.done():
                continue
            if error is None:
                waiter.lease.set_result(None)
            else:
                waiter.lease.set_exception(error)
