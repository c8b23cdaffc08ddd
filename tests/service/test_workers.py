"""Threads for blocking work: limits on waiting and on time. And the recorder, which writes in groups."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.db import PredictionRecord, Predictions
from service.errors import Overloaded, TimeLimitExceeded
from service.ids import new_id
from service.recorder import Recorder
from service.store import Store
from service.workers import Deadline, Workers


def test_the_loop_turns_while_threads_work() -> None:
    async def run() -> int:
        workers = Workers(threads=1, max_waiting=1)
        release = threading.Event()
        work = asyncio.create_task(workers.run(lambda deadline: release.wait(10), 10.0))
        turns = 0
        while turns < 100:
            await asyncio.sleep(0)
            turns += 1
        release.set()
        assert await work
        await workers.close()
        return turns

    assert asyncio.run(run()) == 100


def test_more_work_than_may_wait_is_refused() -> None:
    async def run() -> None:
        workers = Workers(threads=1, max_waiting=1)
        release = threading.Event()
        tasks = [asyncio.create_task(workers.run(lambda deadline: release.wait(10), 10.0)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await workers.run(lambda deadline: None, 1.0)
        release.set()
        await asyncio.gather(*tasks)
        assert await workers.run(lambda deadline: 7, 1.0) == 7
        await workers.close()

    asyncio.run(run())


def test_late_work_is_answered_for_and_keeps_its_place() -> None:
    async def run() -> None:
        workers = Workers(threads=1, max_waiting=0)
        release, noticed = threading.Event(), threading.Event()

        def work(deadline: Deadline) -> None:
            release.wait(10)
            try:
                deadline.check()
            except TimeLimitExceeded:
                noticed.set()

        with pytest.raises(TimeLimitExceeded) as late:
            await workers.run(work, 0.05)
        assert late.value.limit == 0.05
        with pytest.raises(Overloaded):
            await workers.run(work, 1.0)
        release.set()
        await workers.close()
        assert noticed.is_set()

    asyncio.run(run())


def test_work_that_waited_too_long_is_not_begun() -> None:
    async def run() -> None:
        workers = Workers(threads=1, max_waiting=1)
        release, begun = threading.Event(), threading.Event()
        first = asyncio.create_task(workers.run(lambda deadline: release.wait(10), 10.0))
        await asyncio.sleep(0)
        with pytest.raises(TimeLimitExceeded):
            await workers.run(lambda deadline: begun.set(), 0.05)
        release.set()
        await first
        await workers.close()
        assert not begun.is_set()

    asyncio.run(run())


def test_errors_come_back() -> None:
    async def run() -> None:
        workers = Workers(threads=1, max_waiting=0)
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda deadline: 1 // 0, 1.0)
        await workers.close()

    asyncio.run(run())


def record() -> PredictionRecord:
    return PredictionRecord(new_id(), datetime.now(UTC), {}, b"{}")


def test_records_are_on_disk_when_acknowledged_and_old_ones_go(tmp_path: Path) -> None:
    async def run() -> None:
        with Store.open(tmp_path) as store:
            recorder = Recorder(store.database, keep=50)
            for _ in range(4):
                records = [record() for _ in range(40)]
                await asyncio.gather(*(recorder.record(r) for r in records))
                with store.database.read() as session:
                    assert Predictions(session).get(records[-1].id) is not None
            with store.database.read() as session:
                assert 50 <= Predictions(session).count() < 100
            await recorder.close()

    asyncio.run(run())


def test_records_are_synced_at_once_where_that_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("written lazily")

    async def run() -> None:
        with Store.open(tmp_path) as store:
            monkeypatch.setattr(store.database, "write_lazily", refuse)
            recorder = Recorder(store.database, keep=50, eager=True)
            await recorder.record(record())
            await recorder.close()

    asyncio.run(run())


def test_a_record_that_cannot_be_written_is_not_acknowledged(tmp_path: Path) -> None:
    async def run() -> None:
        with Store.open(tmp_path) as store:
            recorder = Recorder(store.database, keep=50)
            twice = record()
            await recorder.record(twice)
            with pytest.raises(Exception, match="UNIQUE"):
                await recorder.record(twice)
            await recorder.record(record())
            await recorder.close()

    asyncio.run(run())
