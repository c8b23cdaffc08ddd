"""What is going on: who holds which task, and what came in lately. For looking only; nothing is locked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.db.campaigns import CampaignEventRow
from service.db.clocks import now_of
from service.db.jobs import JobEvent
from service.db.measurements import ChunkRow
from service.db.models import TargetRow
from service.db.tasks import LeaseRow, TaskRow


@dataclass(frozen=True, slots=True)
class WorkRecord:
    """A task that an agent holds; ``measured`` are the places of the items that came in."""

    agent_id: str
    campaign_id: str
    task_id: str
    since: datetime
    measured: frozenset[int]


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """An item that came in: how long it took, and how many of its records are failures of a kind."""

    id: int
    campaign_id: str
    at: datetime
    agent_id: str | None
    seconds: float
    records: int
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """All items that came in of a campaign, and its failures by kind."""

    items: int
    errors: Mapping[str, int]


class Activity:
    """The repository of what is going on, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def now(self) -> datetime:
        """The database's present moment."""
        return now_of(self._session)

    def work(self) -> list[WorkRecord]:
        """Tasks whose leases hold."""
        query = (
            select(LeaseRow.agent_id, TaskRow.campaign_id, TaskRow.id, LeaseRow.granted_at)
            .join(LeaseRow, LeaseRow.id == TaskRow.lease_id)
            # The index begins with the target.
            .where(TaskRow.target_id.in_(select(TargetRow.id)), TaskRow.state == "leased")
            .where(TaskRow.lease_until >= self.now())
            .order_by(LeaseRow.granted_at)
        )
        rows = self._session.execute(query).all()
        measured: dict[str, set[int]] = {f"task:{row.id}": set() for row in rows}
        chunks = select(ChunkRow.origin, ChunkRow.number).where(ChunkRow.origin.in_(measured))
        for origin, number in self._session.execute(chunks):
            measured[origin].add(number)
        return [
            WorkRecord(row.agent_id, row.campaign_id, row.id, row.granted_at, frozenset(measured[f"task:{row.id}"]))
            for row in rows
        ]

    def items(self, task_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """What the items of tasks are called, in order."""
        query = select(TaskRow.id, TaskRow.document).where(TaskRow.id.in_(task_ids))
        return {
            row.id: tuple(item["context"] for item in row.document["items"]) for row in self._session.execute(query)
        }

    def progress(self, most: int, *, after: int = 0, campaign_id: str | None = None) -> list[ProgressRecord]:
        """Items that came in since an event, of one campaign or all: the newest ``most``, the oldest of them first."""
        row = CampaignEventRow
        query = select(row.id, row.campaign_id, row.at, row.data).where(row.kind == "progress", row.id > after)
        if campaign_id is not None:
            query = query.where(row.campaign_id == campaign_id)
        newest = self._session.execute(query.order_by(row.id.desc()).limit(most)).all()
        return [_progress(*each) for each in reversed(newest)]

    def tally(self, campaign_id: str) -> Tally:
        """What came in of a campaign altogether."""
        mine = (CampaignEventRow.campaign_id == campaign_id, CampaignEventRow.kind == "progress")
        items = self._session.scalar(select(func.count()).select_from(CampaignEventRow).where(*mine))
        failed = CampaignEventRow.data["failed"].as_integer() > 0
        errors: dict[str, int] = {}
        for data in self._session.scalars(select(CampaignEventRow.data).where(*mine, failed)):
            for kind, number in _errors(data).items():
                errors[kind] = errors.get(kind, 0) + number
        return Tally(items or 0, dict(sorted(errors.items(), key=lambda pair: (-pair[1], pair[0]))))

    def told(self, campaign_id: str, most: int) -> list[JobEvent]:
        """What else happened to a campaign, the newest first: states and lines of its log."""
        row = CampaignEventRow
        query = select(row).where(row.campaign_id == campaign_id, row.kind != "progress").order_by(row.id.desc())
        return [JobEvent(e.id, e.at, e.kind, e.data) for e in self._session.scalars(query.limit(most))]


def _progress(id_: int, campaign_id: str, at: datetime, data: Mapping[str, Any]) -> ProgressRecord:
    seconds, records = float(data.get("seconds", 0.0)), int(data.get("records", 0))
    return ProgressRecord(id_, campaign_id, at, data.get("agent"), seconds, records, _errors(data))


def _errors(data: Mapping[str, Any]) -> Mapping[str, int]:
    """Failures by kind; events from before kinds were told have a number only."""
    return data.get("errors") or ({"not told": data["failed"]} if data.get("failed") else {})
