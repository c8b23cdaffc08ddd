"""How much work there is for which target, asked once for all agents that wait: a thousand cost what one does."""

from __future__ import annotations

import asyncio
import time

from service.db import Database, Tasks

#: How old the answer may be, in seconds.
_FRESH_S = 0.5


class WaitingTasks:
    """Numbers of tasks to hand out, by target; for the tasks of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock: asyncio.Lock | None = None
        self._left: dict[str, int] = {}
        self._read_at = float("-inf")

    async def may_have(self, target_id: str) -> bool:
        """Whether there was a task for a target half a second ago, or is now, that nobody was told of since.

        Of a thousand who wait, as many ask the database for a task as there are tasks.
        """
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if time.monotonic() - self._read_at > _FRESH_S:
                self._left = await asyncio.to_thread(self._read)
                self._read_at = time.monotonic()
        if self._left.get(target_id, 0) == 0:
            return False
        self._left[target_id] -= 1
        return True

    def _read(self) -> dict[str, int]:
        with self._database.read() as session:
            return Tasks(session).waiting()
