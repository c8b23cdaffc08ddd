"""Work that stops when the client hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from service.workers import Deadline, Workers

T = TypeVar("T")

#: How often to look whether the client is still there. What takes less is not worth a look.
_LOOK_S = 0.1


async def run_while_connected(request: Request, workers: Workers, work: Callable[[Deadline], T], limit_s: float) -> T:
    """As `Workers.run`; the body of ``request`` must have been read. Raises ClientGone where nobody waits any more."""
    deadline = Deadline(limit_s)
    running = asyncio.ensure_future(workers.run(work, limit_s, deadline=deadline))
    try:
        while not (await asyncio.wait([running], timeout=_LOOK_S))[0]:
            if await request.is_disconnected():
                deadline.cancel()
                deadline.check()
        return running.result()
    finally:
        running.cancel()


async def hung_up(request: Request) -> None:
    """Returns when the client has hung up, however long that takes; the body of ``request`` must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
