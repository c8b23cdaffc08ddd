"""Threads for blocking work, with a limit on how many may wait and on how long each may take.

A thread cannot be stopped from outside. So work gets a `Deadline` and asks it between its stages; the caller gets its
answer (504) at the limit in any case, and a thread that is late keeps its place until it notices.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from service.errors import ClientGone, Overloaded, TimeLimitExceeded
from service.metrics import Metrics

T = TypeVar("T")

#: How often patient work looks for a free place.
_PATIENCE_S = 0.02


class Deadline:
    """The moment by which work must be done, or until which somebody wants it."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end = time.monotonic() + limit_s
        self._cancelled = False

    def renew(self) -> None:
        """Begin anew: another request of the same work has its turn."""
        self._end = time.monotonic() + self.limit_s

    def cancel(self) -> None:
        """Nobody waits for the work any more."""
        self._cancelled = True

    def check(self) -> None:
        """Raise `ClientGone` if the work was cancelled, `TimeLimitExceeded` if the moment is past."""
        if self._cancelled:
            raise ClientGone("the client closed the connection before it had its answer")
        if time.monotonic() > self._end:
            raise self.exceeded()

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 where it is past."""
        return max(self._end - time.monotonic(), 0.0)

    def exceeded(self) -> TimeLimitExceeded:
        return TimeLimitExceeded(
            f"the request took longer than {self.limit_s:g} s; ask for fewer targets or a smaller graph", self.limit_s
        )


class Workers:
    """A pool of ``threads``; at most ``max_waiting`` pieces of work wait for one."""

    def __init__(self, threads: int, max_waiting: int, metrics: Metrics | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pricing")
        self._capacity = threading.BoundedSemaphore(threads + max_waiting)
        self._metrics = metrics or Metrics()

    async def run(self, work: Callable[[Deadline], T], limit_s: float, *, deadline: Deadline | None = None) -> T:
        """The result of ``work``, done in a thread. Give a ``deadline`` to be able to cancel it.

        Raises:
            Overloaded: too many are waiting already.
            TimeLimitExceeded: it is not done after ``limit_s``, waiting included.
            ClientGone: it was cancelled.
        """
        if not self._capacity.acquire(blocking=False):
            raise Overloaded("all threads are busy and the queue is full; try again in a moment")
        deadline = deadline or Deadline(limit_s)
        future = asyncio.wrap_future(self._submit(work, deadline))
        try:
            while not future.done() and (left_s := deadline.left_s) > 0:  # it may have been renewed meanwhile
                await asyncio.wait([future], timeout=left_s)
            if future.done():
                return future.result()
            future.cancel()
            raise deadline.exceeded()
        except asyncio.CancelledError:
            deadline.cancel()
            future.cancel()
            raise

    async def run_patiently(self, work: Callable[[Deadline], T], deadline: Deadline) -> T:
        """As `run`, but it waits for a place in the queue until the deadline: streams can be held up."""
        while True:
            try:
                return await self.run(work, deadline.limit_s, deadline=deadline)
            except Overloaded:
                if deadline.left_s == 0.0:
                    raise
                deadline.check()
                await asyncio.sleep(_PATIENCE_S)

    def _submit(self, work: Callable[[Deadline], T], deadline: Deadline) -> Future[T]:
        metrics, asked_at = self._metrics, time.perf_counter()
        waiting = True

        def begin() -> T:
            nonlocal waiting
            waiting = False
            metrics.waiting.dec()
            metrics.waited(time.perf_counter() - asked_at)
            with metrics.running.track_inprogress():
                deadline.check()  # it may have waited too long already
                return work(deadline)

        def end(_: Future[T]) -> None:
            self._capacity.release()
            if waiting:
                metrics.waiting.dec()

        metrics.waiting.inc()
        future = self._pool.submit(contextvars.copy_context().run, begin)
        future.add_done_callback(end)
        return future

    async def close(self) -> None:
        """Wait for work under way; what has not begun is cancelled."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
