"""For which targets there is work, asked once for all agents that wait: a thousand of them cost what one does."""

from __future__ import annotations

import asyncio
import time

from service.db import Database, Tasks

#: How old the answer may be, in seconds.
_FRESH_S = 0.5


class WaitingTargets:
    """Targets with tasks to hand out; for the tasks of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock: asyncio.Lock | None = None
        self._targets: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def has(self, target_id: str) -> bool:
        """Whether there was work for a target half a second ago, or is now."""
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if time.monotonic() - self._read_at > _FRESH_S:
                self._targets = await asyncio.to_thread(self._read)
                self._read_at = time.monotonic()
        return target_id in self._targets

    def _read(self) -> frozenset[str]:
        with self._database.read() as session:
            return Tasks(session).waiting_targets()
