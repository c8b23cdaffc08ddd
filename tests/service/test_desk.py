"""Agents that ask at the same time are answered together, and none suffers for another; on both databases."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

import pytest
from sqlalchemy import event

from lookup_tables import DeviceFingerprint, Target
from service.agents.enrolling import know_target
from service.agents.gathering import Gathering
from service.agents.queueing import Queue
from service.db import AgentRecord, Agents, Campaigns, Database, LeaseRecord, Tasks
from service.errors import DatabaseUnavailable
from service.stopping import StopSignal

BOARD = Target(DeviceFingerprint("Board", cores=4), runtime_version="1.31.1")


class Recorded:
    """Answers numbers with their squares, and minds some of them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        self.go.wait(10.0)
        if -1 in numbers:
            raise RuntimeError("a defect")
        if -2 in numbers:
            raise DatabaseUnavailable("away")
        return [ValueError("thirteen") if n == 13 else n * n for n in numbers]


async def ask_all(gathering: Gathering[int, int], recorded: Recorded, numbers: Sequence[int]) -> list[Any]:
    """The first goes to work alone; the others come meanwhile."""
    asked = [asyncio.create_task(gathering.ask(numbers[0]))]
    while not recorded.batches:
        await asyncio.sleep(0.001)
    asked += [asyncio.create_task(gathering.ask(n)) for n in numbers[1:]]
    await asyncio.sleep(0)
    recorded.go.set()
    return await asyncio.gather(*asked, return_exceptions=True)


def test_who_comes_meanwhile_is_answered_together() -> None:
    recorded = Recorded()
    answers = asyncio.run(ask_all(Gathering(recorded, 4), recorded, [0, 1, 2, 13, 4, 5]))
    assert recorded.batches == [[0], [1, 2, 13, 4], [5]]
    assert [answers[n] for n in (0, 1, 2, 4, 5)] == [0, 1, 4, 16, 25] and isinstance(answers[3], ValueError)


def test_nobody_suffers_for_a_neighbour() -> None:
    recorded = Recorded()
    answers = asyncio.run(ask_all(Gathering(recorded, 9), recorded, [0, 1, -1, 3]))
    assert recorded.batches == [[0], [1, -1, 3], [1], [-1], [3]]
    assert answers[1] == 1 and answers[3] == 9 and isinstance(answers[2], RuntimeError)


def test_a_database_that_is_away_is_not_asked_by_each() -> None:
    recorded = Recorded()
    answers = asyncio.run(ask_all(Gathering(recorded, 9), recorded, [0, 1, -2]))
    assert recorded.batches == [[0], [1, -2]]
    assert [type(answer) for answer in answers[1:]] == [DatabaseUnavailable] * 2


def test_who_goes_away_is_not_answered() -> None:
    async def go() -> None:
        recorded = Recorded()
        gathering = Gathering(recorded, 9)
        first, second, third = (asyncio.create_task(gathering.ask(n)) for n in (1, 2, 3))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        recorded.go.set()
        assert await asyncio.gather(first, third) == [1, 9]
        assert recorded.batches == [[1, 3]]

    asyncio.run(go())


@pytest.fixture
def agents(database: Database) -> list[AgentRecord]:
    """Agents of a target."""
    with database.write() as session:
        know_target(session, BOARD)
        return [Agents(session).add(f"board {n}", None, BOARD.id, {}) for n in range(40)]


def begin(database: Database, tasks: int) -> str:
    """A campaign that is being measured."""
    with database.write() as session:
        made = Campaigns(session).add(BOARD.id, {"budget_s": 60.0}, "anonymous")
        Tasks(session).add(made.id, BOARD.id, 1, [{"items": [{}]}] * tasks)
        Campaigns(session).measure(made.id, 1)
    return made.id


async def stay() -> None:
    await asyncio.Event().wait()


def wait(queue: Queue, agent: AgentRecord, wait_s: float, gone: Awaitable[None] | None = None) -> Coroutine[
    Any, Any, LeaseRecord | None
]:  # fmt: skip
    return queue.wait(agent, BOARD, wait_s, gone or stay())


def test_many_who_wait_cost_what_one_does(database: Database, agents: list[AgentRecord]) -> None:
    async def cost(number: int) -> int:
        statements = 0

        def count(*_: object) -> None:
            nonlocal statements
            statements += 1

        queue = Queue(database, 60.0, StopSignal())
        event.listen(database.engine, "before_cursor_execute", count)
        try:
            assert await asyncio.gather(*(wait(queue, agent, 0.0) for agent in agents[:number])) == [None] * number
        finally:
            event.remove(database.engine, "before_cursor_execute", count)
        return statements

    assert asyncio.run(cost(40)) == asyncio.run(cost(1)) > 0


def test_everybody_who_waits_gets_a_task_of_its_own(database: Database, agents: list[AgentRecord]) -> None:
    async def go() -> list[LeaseRecord | None]:
        queue = Queue(database, 60.0, StopSignal())
        waiting = [asyncio.create_task(wait(queue, agent, 30.0)) for agent in agents[:5]]
        waiting += [asyncio.create_task(wait(queue, agent, 0.0)) for agent in agents[5:7]]
        assert [await one for one in waiting[5:]] == [None, None]
        await asyncio.to_thread(begin, database, 4)
        done, left = await asyncio.wait(waiting[:5], timeout=20.0, return_when=asyncio.FIRST_EXCEPTION)
        for one in left:
            one.cancel()
        return [one.result() for one in done]

    held = [lease for lease in asyncio.run(go()) if lease is not None]
    assert len({lease.task.id for lease in held}) == len({lease.agent_id for lease in held}) == len(held) == 4


def test_who_hung_up_keeps_no_task_from_others(database: Database, agents: list[AgentRecord]) -> None:
    async def go() -> None:
        queue = Queue(database, 60.0, StopSignal())
        left = asyncio.Event()

        async def leaves() -> None:
            await left.wait()

        gone = asyncio.create_task(wait(queue, agents[0], 30.0, leaves()))
        cancelled = asyncio.create_task(wait(queue, agents[1], 30.0))
        assert await wait(queue, agents[2], 0.0) is None
        left.set()
        cancelled.cancel()
        assert await gone is None
        campaign = await asyncio.to_thread(begin, database, 1)
        lease = await wait(queue, agents[3], 20.0)
        assert lease is not None and lease.agent_id == agents[3].id and lease.fence == 1
        with database.read() as session:
            assert Tasks(session).count(campaign) == {"leased": 1}

    asyncio.run(go())


def test_a_task_for_somebody_who_left_meanwhile_is_given_back(
    database: Database, agents: list[AgentRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = begin(database, 1)
    grant, granting, left = Queue._grant, threading.Event(), threading.Event()

    def slowly(self: Queue, asked: Any) -> Any:
        granted = grant(self, asked)
        granting.set()
        left.wait(10.0)
        return granted

    monkeypatch.setattr(Queue, "_grant", slowly)

    async def go() -> None:
        queue = Queue(database, 60.0, StopSignal())
        waiting = asyncio.create_task(wait(queue, agents[0], 30.0))
        await asyncio.to_thread(granting.wait, 10.0)
        waiting.cancel()
        await asyncio.wait([waiting])
        left.set()
        assert queue._work is not None
        await queue._work

    asyncio.run(go())
    with database.read() as session:
        assert Tasks(session).count(campaign) == {"queued": 1}


def test_nobody_waits_for_a_service_that_stops(database: Database, agents: list[AgentRecord]) -> None:
    async def go() -> list[LeaseRecord | None]:
        stopping = StopSignal()
        queue = Queue(database, 60.0, stopping)
        waiting = [asyncio.create_task(wait(queue, agent, 30.0)) for agent in agents]
        await asyncio.sleep(0)
        stopping.asked = True
        done, left = await asyncio.wait(waiting, timeout=20.0)
        assert not left
        return [one.result() for one in done]

    assert asyncio.run(go()) == [None] * 40
