"""Leases: under which agents carry out tasks, each by one agent at a time.

::

    queued ──lease──► leased ──all items came in──► done
       ▲                 │
       └─ released, or ──┴──► quarantined: lost by `MAX_DEVICES` devices, or `MAX_LOSSES` times by few
          lease ran out                                        (campaign over: cancelled)

Every lease raises the task's fence. A lease that runs out before anything came in is a loss, of which the task may be
the cause; one that brought something is not. Nor is one of which nothing was heard: it may never have reached the
agent, and only many of them are held against the task. What came in of an item is kept under the task (``task:<id>`` in
`service.db.measurements`), where an item can be once only, whoever sent it; what comes in too late is kept under its
lease (``late:<id>``), as evidence.

Everything here is done for many at once, since a thousand agents ask at the same time. Whoever changes campaigns as
well locks them first, then their tasks; several of either in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.db.campaigns import CampaignRow, Campaigns
from service.db.clocks import now_of
from service.db.measurements import ChunkRow
from service.db.tasks import LeaseRow, TaskRecord, TaskRow, Tasks, describe_task
from service.ids import new_id

MAX_DEVICES = 3
MAX_LOSSES = 5
MAX_UNHEARD = 20
_UNHEARD = "unheard"
#: Databases limit the parameters of a statement.
_MOST = 500


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A lease with its task; ``until`` is None once it is over."""

    id: str
    agent_id: str
    fence: int
    task: TaskRecord
    until: datetime | None
    #: Items (by their places in the task) that came in already.
    measured: frozenset[int]

    @property
    def holds(self) -> bool:
        """Whether its fence is the task's latest, and the task still wanted."""
        return self.task.lease_id == self.id and self.task.state == "leased"

    @property
    def origin(self) -> str:
        """Under which it is kept what comes in too late."""
        return f"late:{self.id}"


class Leases:
    """The repository of leases, within a transaction that the caller opened."""

    def __init__(self, session: Session, campaigns: Campaigns | None = None) -> None:
        """``campaigns`` is the repository that is to know which were locked."""
        self._session = session
        self._campaigns = campaigns or Campaigns(session)
        self._tasks = Tasks(session)
        #: What was read, by id: SQLAlchemy itself forgets rows that nobody holds, and would read them again.
        self._rows: dict[str, TaskRow | LeaseRow] = {}
        #: Items that came in, by task.
        self._measured: dict[str, set[int]] = {}

    def wanted(self, target_ids: Iterable[str]) -> set[str]:
        """For which of these targets there is something to hand out; nothing is locked."""
        of_campaign, now = TaskRow.campaign_id == CampaignRow.id, now_of(self._session)
        queued = select(TaskRow.id).where(of_campaign, TaskRow.state == "queued")
        expired = select(TaskRow.id).where(of_campaign, TaskRow.state == "leased", TaskRow.lease_until < now)
        query = select(CampaignRow.target_id).where(
            CampaignRow.state == "measuring", or_(queued.exists(), expired.exists())
        )
        return set(self._session.scalars(query)) & set(target_ids)

    def grant(self, target_id: str, agent_ids: Sequence[str], ttl_s: float) -> list[LeaseRecord]:
        """Give each agent a task of its own for the target, the first agents the first tasks, as far as there are."""
        granted: list[LeaseRecord] = []
        query = select(CampaignRow.id).where(CampaignRow.state == "measuring", CampaignRow.target_id == target_id)
        for campaign_id in self._session.scalars(query.order_by(CampaignRow.id)).all():
            while len(granted) < len(agent_ids) and self._campaigns.lock(campaign_id) == "measuring":
                now = now_of(self._session)
                rows = self._free(campaign_id, len(agent_ids) - len(granted), now)
                if not rows:
                    break
                for row in rows:
                    if not (row.state == "leased" and self._lose(row, ttl_s)):
                        granted.append(self._grant(row, agent_ids[len(granted)], ttl_s, now))
                self._session.flush()
        self._look_at_measured([lease.task.id for lease in granted])
        return [self._with_measured(lease) for lease in granted]

    def hold(self, lease_ids: Collection[str], *, with_campaigns: bool = False) -> dict[str, LeaseRecord]:
        """Those that there are, by their ids; their tasks, and campaigns too if asked, are locked until the end."""
        known = sorted({lease_id for lease_id in lease_ids if "\0" not in lease_id})
        found: dict[str, LeaseRecord] = {}
        for start in range(0, len(known), _MOST):
            found |= self._hold(known[start : start + _MOST], with_campaigns)
        return found

    def renew(self, leases: Collection[LeaseRecord], ttl_s: float) -> datetime:
        """Keep tasks for another while; the leases must hold."""
        until = now_of(self._session) + timedelta(seconds=ttl_s)
        for lease in leases:
            self._session.get_one(TaskRow, lease.task.id).lease_until = until
        self._session.flush()
        return until

    def release(self, leases: Collection[LeaseRecord]) -> None:
        """Give tasks back for other agents; the leases must hold."""
        for lease in leases:
            row = self._session.get_one(TaskRow, lease.task.id)
            self._end_lease(row)
            row.state, row.lease_id, row.lease_until = "queued", None, None
        self._session.flush()

    def arrived(self, lease: LeaseRecord, item: int, *, counts: bool) -> None:
        """Note that an item came in under a lease that `hold` gave, and end the task with its last one."""
        mine = self._session.get_one(LeaseRow, lease.id)
        if not counts:
            mine.late_chunks += 1
            return
        mine.chunks += 1
        row, measured = self._session.get_one(TaskRow, lease.task.id), self._measured[lease.task.id]
        measured.add(item)
        if len(measured) >= len(row.document["items"]):
            self._end_lease(row)
            row.state, row.lease_until = "done", None

    def _free(self, campaign_id: str, number: int, now: datetime) -> list[TaskRow]:
        """The first tasks of a campaign that nobody works on. What somebody is about to renew is not among them."""
        mine, order = TaskRow.campaign_id == campaign_id, (TaskRow.round, TaskRow.position)
        queued = select(TaskRow).where(mine, TaskRow.state == "queued")
        expired = select(TaskRow).where(mine, TaskRow.state == "leased", TaskRow.lease_until < now)
        rows = [
            row
            for query in (queued, expired)
            for row in self._session.scalars(
                query.order_by(*order).limit(number).with_for_update(skip_locked=True),
                execution_options={"populate_existing": True},
            )
        ]
        return sorted(rows, key=lambda row: (row.round, row.position))[:number]

    def _grant(self, row: TaskRow, agent_id: str, ttl_s: float, now: datetime) -> LeaseRecord:
        row.fence += 1
        lease = LeaseRow(
            id=new_id(), task_id=row.id, agent_id=agent_id, fence=row.fence, chunks=0, late_chunks=0, granted_at=now
        )
        row.state, row.lease_id, row.lease_until = "leased", lease.id, now + timedelta(seconds=ttl_s)
        self._session.add(lease)
        return _lease(lease, row)

    def _lose(self, row: TaskRow, ttl_s: float) -> bool:
        """A lease ran out; returns whether the task is given up because of it."""
        lease = self._session.get_one(LeaseRow, row.lease_id)
        self._end_lease(row)
        if lease.chunks:
            return False
        assert row.lease_until is not None
        renewed = row.lease_until - lease.granted_at > timedelta(seconds=ttl_s, milliseconds=1)
        who = lease.agent_id if renewed else _UNHEARD
        row.losses = {**row.losses, who: row.losses.get(who, 0) + 1}
        devices = row.losses.keys() - {_UNHEARD}
        lost = sum(row.losses[device] for device in devices)
        unheard = row.losses.get(_UNHEARD, 0)
        given_up = len(devices) >= MAX_DEVICES or lost >= MAX_LOSSES or unheard >= MAX_UNHEARD
        if given_up:
            row.state, row.lease_until = "quarantined", None
            text = f"task {row.id} is quarantined: {len(devices)} devices lost it {lost} times"
            self._campaigns.event(row.campaign_id, "log", {"text": text})
            self._session.flush()
            self._tasks.close_round(row.campaign_id)
        return given_up

    def _end_lease(self, row: TaskRow) -> None:
        lease = self._session.get_one(LeaseRow, row.lease_id)
        lease.ended_at = lease.ended_at or now_of(self._session)

    def _hold(self, lease_ids: Sequence[str], with_campaigns: bool) -> dict[str, LeaseRecord]:
        query = select(LeaseRow.task_id, TaskRow.campaign_id).join(TaskRow, TaskRow.id == LeaseRow.task_id)
        of = self._session.execute(query.where(LeaseRow.id.in_(lease_ids))).all()
        for campaign_id in sorted({row.campaign_id for row in of}) if with_campaigns else ():
            self._campaigns.lock(campaign_id)
        task_ids, fresh = sorted({row.task_id for row in of}), {"populate_existing": True}
        locked = select(TaskRow).where(TaskRow.id.in_(task_ids)).order_by(TaskRow.id).with_for_update()
        tasks = {row.id: row for row in self._session.scalars(locked, execution_options=fresh)}
        query_leases = select(LeaseRow).where(LeaseRow.id.in_(lease_ids))
        leases = {row.id: row for row in self._session.scalars(query_leases, execution_options=fresh)}
        self._rows.update(tasks)
        self._rows.update(leases)
        found = [_lease(row, tasks[row.task_id]) for row in leases.values()]
        self._look_at_measured(task_ids)
        return {lease.id: self._with_measured(lease) for lease in found}

    def _look_at_measured(self, task_ids: Sequence[str]) -> None:
        """Read which items of tasks came in."""
        self._measured |= {task_id: set() for task_id in task_ids}
        for start in range(0, len(task_ids), _MOST):
            origins = [f"task:{task_id}" for task_id in task_ids[start : start + _MOST]]
            query = select(ChunkRow.origin, ChunkRow.number).where(ChunkRow.origin.in_(origins))
            for origin, number in self._session.execute(query):
                self._measured[origin.removeprefix("task:")].add(number)

    def _with_measured(self, lease: LeaseRecord) -> LeaseRecord:
        measured = frozenset(self._measured[lease.task.id])
        return LeaseRecord(lease.id, lease.agent_id, lease.fence, lease.task, lease.until, measured)


def _lease(lease: LeaseRow, row: TaskRow) -> LeaseRecord:
    until = row.lease_until if row.lease_id == lease.id else None
    return LeaseRecord(lease.id, lease.agent_id, lease.fence, describe_task(row), until, frozenset())
