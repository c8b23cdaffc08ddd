"""Tasks of campaigns, and the leases under which agents carry them out.

::

    queued ──lease──► leased ──all items came in──► done
       ▲                 │
       └─ released, or ──┴──► quarantined: lost by `MAX_DEVICES` devices, or `MAX_LOSSES` times by few
          lease ran out                                        (campaign over: cancelled)

Every lease raises the task's fence. A lease that runs out before anything came in is a loss, of which the task may be
the cause; one that brought something is not. Nor is one of which nothing was heard: it may never have reached the
agent, and only many of them are held against the task. What came in of an item is kept under the task (``task:<id>`` in
`service.db.measurements`), where an item can be once only, whoever sent it; what comes in too late is kept under its
lease (``late:<id>``), as evidence. Whoever changes a campaign as well locks it first, then its tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, and_, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.db.campaigns import CampaignRow, Campaigns
from service.db.clocks import now_of
from service.db.measurements import ChunkRow
from service.db.models import Base
from service.ids import new_id

MAX_DEVICES = 3
MAX_LOSSES = 5
MAX_UNHEARD = 20
OPEN = ("queued", "leased")
_UNHEARD = "unheard"


class TaskRow(Base):
    """A task; ``document`` has its items and limits, ``losses`` how often agents (by id, or `_UNHEARD`) lost it."""

    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_target_id", "target_id", "state"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"), index=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    round: Mapped[int]
    position: Mapped[int]
    document: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20))
    fence: Mapped[int]
    lease_id: Mapped[str | None] = mapped_column(String(36))
    lease_until: Mapped[datetime | None]
    losses: Mapped[dict[str, Any]]


class LeaseRow(Base):
    """A lease; ``chunks`` came in while it held, ``late_chunks`` afterwards."""

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id"), index=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    fence: Mapped[int]
    chunks: Mapped[int]
    late_chunks: Mapped[int]
    granted_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as it was when it was read."""

    id: str
    campaign_id: str
    target_id: str
    round: int
    document: Mapping[str, Any]
    state: str
    fence: int
    lease_id: str | None

    @property
    def origin(self) -> str:
        """Under which its measurements are kept."""
        return f"task:{self.id}"


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


class Tasks:
    """The repository of tasks and leases, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._campaigns = Campaigns(session)

    def add(self, campaign_id: str, target_id: str, round_: int, documents: Sequence[Mapping[str, Any]]) -> None:
        """Queue the tasks of a round, in the order in which they are to be handed out."""
        for position, document in enumerate(documents):
            self._session.add(
                TaskRow(
                    id=new_id(), campaign_id=campaign_id, target_id=target_id, round=round_, position=position,
                    document=dict(document), state="queued", fence=0, losses={},
                )
            )  # fmt: skip
        self._session.flush()

    def of(self, campaign_id: str) -> list[TaskRecord]:
        """All tasks of a campaign in order."""
        query = select(TaskRow).where(TaskRow.campaign_id == campaign_id).order_by(TaskRow.round, TaskRow.position)
        return [_task(row) for row in self._session.scalars(query)]

    def count(self, campaign_id: str) -> dict[str, int]:
        """Numbers of a campaign's tasks by state."""
        query = select(TaskRow.state, func.count()).where(TaskRow.campaign_id == campaign_id).group_by(TaskRow.state)
        return {row[0]: row[1] for row in self._session.execute(query)}

    def waiting(self) -> dict[str, int]:
        """Numbers of tasks to hand out, by target, without locking anything."""
        query = self._candidates((TaskRow.target_id, func.count()), now_of(self._session)).order_by(None)
        return {row[0]: row[1] for row in self._session.execute(query.group_by(TaskRow.target_id))}

    def lease(self, agent_id: str, target_id: str, ttl_s: float) -> LeaseRecord | None:
        """Give an agent the first task for its target that nobody works on. Of several who ask, each gets another."""
        now = now_of(self._session)
        first = self._candidates((TaskRow.campaign_id,), now).where(TaskRow.target_id == target_id).limit(1)
        while (campaign_id := self._session.scalars(first).first()) is not None:
            self._campaigns.lock(campaign_id)
            mine = self._candidates((TaskRow,), now).where(
                TaskRow.target_id == target_id, TaskRow.campaign_id == campaign_id
            )
            row = self._session.scalars(
                mine.limit(1).with_for_update(of=TaskRow).execution_options(populate_existing=True)
            ).first()
            if row is not None and not (row.state == "leased" and self._lose(row, ttl_s)):
                return self._grant(row, agent_id, ttl_s)
        return None

    def get(self, lease_id: str, *, with_campaign: bool = False) -> LeaseRecord | None:
        """A lease; its task, and its campaign too if asked, are locked until the transaction ends."""
        lease = None if "\0" in lease_id else self._session.get(LeaseRow, lease_id)
        if lease is None:
            return None
        if with_campaign:  # before the task, as everywhere
            self._campaigns.lock(self._session.get_one(TaskRow, lease.task_id).campaign_id)
        row = self._session.get_one(TaskRow, lease.task_id, with_for_update=True, populate_existing=True)
        self._session.refresh(lease)
        return self._lease(lease, row)

    def renew(self, lease: LeaseRecord, ttl_s: float) -> datetime:
        """Keep a task for another while; the lease must hold."""
        row = self._session.get_one(TaskRow, lease.task.id)
        row.lease_until = now_of(self._session) + timedelta(seconds=ttl_s)
        self._session.flush()
        return row.lease_until

    def release(self, lease: LeaseRecord) -> None:
        """Give a task back for another agent; the lease must hold."""
        row = self._session.get_one(TaskRow, lease.task.id)
        self._end_lease(row)
        row.state, row.lease_id, row.lease_until = "queued", None, None
        self._session.flush()

    def arrived(self, lease: LeaseRecord, *, counts: bool) -> None:
        """Note that a chunk came in, and end the task with its last item."""
        mine = self._session.get_one(LeaseRow, lease.id)
        if not counts:
            mine.late_chunks += 1
            self._session.flush()
            return
        mine.chunks += 1
        row = self._session.get_one(TaskRow, lease.task.id)
        if len(self._measured(row.id)) >= len(row.document["items"]):
            self._end_lease(row)
            row.state, row.lease_until = "done", None
        self._session.flush()

    def close_round(self, campaign_id: str) -> bool:
        """Go on with the campaign if no task of it is open any more; returns whether that is so."""
        query = select(TaskRow.id).where(TaskRow.campaign_id == campaign_id, TaskRow.state.in_(OPEN)).limit(1)
        if self._session.scalars(query).first() is not None:
            return False
        self._campaigns.plan(campaign_id)
        return True

    def cancel(self, campaign_id: str, *, spent: bool = False) -> None:
        """Hand out no task of a campaign any more, and want nothing of what is under way.

        Where only the budget is ``spent``, what is under way is finished, and what is marked as ``needed`` is done.
        """
        states = ["queued"] if spent else list(OPEN)
        query = select(TaskRow).where(TaskRow.campaign_id == campaign_id, TaskRow.state.in_(states))
        for row in self._session.scalars(query.order_by(TaskRow.id).with_for_update()):
            if not (spent and row.document.get("needed")):
                row.state, row.lease_until = "cancelled", None
        self._session.flush()

    @staticmethod
    def _candidates(what: Sequence[Any], now: datetime) -> Select[Any]:
        """What can be handed out, in order."""
        expired = and_(TaskRow.state == "leased", TaskRow.lease_until < now)
        return (
            select(*what)
            .join(CampaignRow, CampaignRow.id == TaskRow.campaign_id)
            .where(CampaignRow.state == "measuring", or_(TaskRow.state == "queued", expired))
            .order_by(TaskRow.campaign_id, TaskRow.round, TaskRow.position)
        )

    def _grant(self, row: TaskRow, agent_id: str, ttl_s: float) -> LeaseRecord:
        now = now_of(self._session)
        row.fence += 1
        lease = LeaseRow(
            id=new_id(), task_id=row.id, agent_id=agent_id, fence=row.fence, chunks=0, late_chunks=0, granted_at=now
        )
        row.state, row.lease_id, row.lease_until = "leased", lease.id, now + timedelta(seconds=ttl_s)
        self._session.add(lease)
        self._session.flush()
        return self._lease(lease, row)

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
        if given_up:
            self.close_round(row.campaign_id)
        return given_up

    def _end_lease(self, row: TaskRow) -> None:
        lease = self._session.get_one(LeaseRow, row.lease_id)
        lease.ended_at = lease.ended_at or now_of(self._session)

    def _measured(self, task_id: str) -> frozenset[int]:
        query = select(ChunkRow.number).where(ChunkRow.origin == f"task:{task_id}")
        return frozenset(self._session.scalars(query))

    def _lease(self, lease: LeaseRow, row: TaskRow) -> LeaseRecord:
        until = row.lease_until if row.lease_id == lease.id else None
        return LeaseRecord(lease.id, lease.agent_id, lease.fence, _task(row), until, self._measured(row.id))


def _task(row: TaskRow) -> TaskRecord:
    return TaskRecord(
        row.id, row.campaign_id, row.target_id, row.round, row.document, row.state, row.fence, row.lease_id
    )
