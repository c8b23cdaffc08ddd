"""What agents are doing now, asked once for all who look: a hundred open pages cost what one does."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.db import Activity, AgentRecord, Agents, CampaignRecord, Campaigns, Database, ProgressRecord, WorkRecord

#: How old the answer may be, in seconds.
_FRESH_S = 0.5
#: What came in is remembered for so long, and at most so many items of it.
WINDOW = timedelta(hours=1)
_MOST_ITEMS = 5000
#: Documents of campaigns that are kept in memory.
_MOST_DOCUMENTS = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """A task that an agent holds, with the name and place (from 1) of the item that it measures now."""

    record: WorkRecord
    item: str | None
    place: int
    items: int


@dataclass(frozen=True, slots=True)
class Sight:
    """Agents, the work that each has, by its id, and the items that came in within `WINDOW`, the oldest first."""

    at: datetime
    agents: tuple[AgentRecord, ...]
    work: Mapping[str, Work]
    lately: tuple[ProgressRecord, ...]


class Watch:
    """Sees what goes on; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._sight: Sight | None = None
        self._last_item = 0
        #: Of the items of tasks, by the tasks' ids.
        self._names: dict[str, tuple[str, ...]] = {}
        self._documents: dict[str, Mapping[str, Any]] = {}

    def now(self) -> Sight:
        """What agents do, or did half a second ago."""
        with self._lock:
            if self._sight is None or time.monotonic() - self._read_at > _FRESH_S:
                self._sight = self._look(self._sight)
                self._read_at = time.monotonic()
            return self._sight

    def campaigns(self, number: int) -> list[CampaignRecord]:
        """The newest campaigns first, without the graphs of their architectures."""
        with self._lock, self._database.read() as session:
            if len(self._documents) > _MOST_DOCUMENTS:
                self._documents.clear()
            return Campaigns(session).outlines(number, self._documents)

    def campaign(self, campaign_id: str) -> CampaignRecord | None:
        """One of them."""
        with self._lock, self._database.read() as session:
            return Campaigns(session).outline(campaign_id, self._documents)

    def _look(self, before: Sight | None) -> Sight:
        with self._database.read() as session:
            activity = Activity(session)
            now, records = activity.now(), activity.work()
            new = activity.progress(_MOST_ITEMS, after=self._last_item)
            tasks = {record.task_id for record in records}
            self._names = {task: names for task, names in self._names.items() if task in tasks}
            self._names.update(activity.items(tasks - self._names.keys()))
            agents = tuple(Agents(session).all())
        self._last_item = new[-1].id if new else self._last_item
        known = before.lately if before is not None else ()
        lately = [item for item in (*known, *new)[-_MOST_ITEMS:] if item.at > now - WINDOW]
        work = {record.agent_id: _work(record, self._names[record.task_id]) for record in records}
        return Sight(now, agents, work, tuple(lately))


def _work(record: WorkRecord, names: tuple[str, ...]) -> Work:
    """Agents measure the items of a task in order."""
    place = next((place for place in range(len(names)) if place not in record.measured), None)
    if place is None:
        return Work(record, None, len(names), len(names))
    return Work(record, names[place], place + 1, len(names))
