"""Tasks of campaigns: what agents carry out under `service.db.leases`, queued in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.db.campaigns import Campaigns
from service.db.models import Base
from service.ids import new_id

OPEN = ("queued", "leased")


class TaskRow(Base):
    """A task; ``document`` has its items and limits, ``losses`` how often agents (by id) lost it."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_target_id", "target_id", "state"),
        # What is handed out next, and what agents have not been heard of for too long, among many thousands.
        Index("ix_tasks_campaign_id", "campaign_id", "state", "round", "position"),
        Index("ix_tasks_lease_until", "campaign_id", "state", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"))
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


class Tasks:
    """The repository of tasks, within a transaction that the caller opened."""

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
        return [describe_task(row) for row in self._session.scalars(query)]

    def count(self, campaign_id: str) -> dict[str, int]:
        """Numbers of a campaign's tasks by state."""
        query = select(TaskRow.state, func.count()).where(TaskRow.campaign_id == campaign_id).group_by(TaskRow.state)
        return {row[0]: row[1] for row in self._session.execute(query)}

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


def describe_task(row: TaskRow) -> TaskRecord:
    """What others get to know of a row."""
    return TaskRecord(
        row.id, row.campaign_id, row.target_id, row.round, row.document, row.state, row.fence, row.lease_id
    )
