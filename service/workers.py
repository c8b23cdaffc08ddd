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
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.errors import Overloaded, TimeLimitExceeded

T = TypeVar("T")


class Deadline:
    """The moment by which work must be done."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end = time.monotonic() + limit_s

    def check(self) -> None:
        """Raise `TimeLimitExceeded` if it is past."""
        if time.monotonic() > self._end:
            raise self.exceeded()

    def exceeded(self) -> TimeLimitExceeded:
        return TimeLimitExceeded(
            f"the request took longer than {self.limit_s:g} s; ask for fewer targets or a smaller graph", self.limit_s
        )


class Workers:
    """A pool of ``threads``; at most ``max_waiting`` pieces of work wait for one."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pricing")
        self._capacity = threading.BoundedSemaphore(threads + max_waiting)

    async def run(self, work: Callable[[Deadline], T], limit_s: float) -> T:
        """The result of ``work``, done in a thread.

        Raises:
            Overloaded: too many are waiting already.
            TimeLimitExceeded: it is not done after ``limit_s``, waiting included.
        """
        if not self._capacity.acquire(blocking=False):
            raise Overloaded("all threads are busy and the queue is full; try again in a moment")
        deadline = Deadline(limit_s)
        context = contextvars.copy_context()
        future = self._pool.submit(context.run, _start, work, deadline)
        future.add_done_callback(lambda _: self._capacity.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), limit_s)
        except TimeoutError:
            raise deadline.exceeded() from None

    async def close(self) -> None:
        """Wait for work under way; what has not begun is cancelled."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


def _start(work: Callable[[Deadline], T], deadline: Deadline) -> T:
    deadline.check()  # it may have waited too long already
    return work(deadline)
