"""Campaigns: rows that say what is to be measured on a target, how far that is, and what came of it.

::

    planning ──► measuring ──► planning … ──► training ──► succeeded
        │            │ ▲                         │
        │            ▼ │                         ▼
        │          paused                      failed           (cancel: from all but the ends to cancelled)

Planning and training are the work of a job (kind ``campaign``), measuring that of agents. The one that ends the last
task of a round queues the next job in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Integer, String, Text, select
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from service.db.clocks import now_of
from service.db.jobs import JobEvent, JobRow, Jobs
from service.db.models import Base
from service.ids import new_id

FINAL = ("succeeded", "failed", "cancelled")
#: States in which a job works on it.
WORKED_ON = ("planning", "training")


class CampaignRow(Base):
    """A campaign; ``document`` is what was asked for, ``spent_s`` the seconds that devices measured."""

    __tablename__ = "campaigns"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    document: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20), index=True)
    round: Mapped[int]
    spent_s: Mapped[float] = mapped_column(Double)
    job_id: Mapped[str | None] = mapped_column(String(36))
    result: Mapped[dict[str, Any]]
    error: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class CampaignEventRow(Base):
    """Something that happened to a campaign: kind ``state``, ``progress`` or ``log``."""

    __tablename__ = "campaign_events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]

    __table_args__ = ({"sqlite_autoincrement": True},)


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign as it was when it was read."""

    id: str
    target_id: str
    document: Mapping[str, Any]
    state: str
    round: int
    spent_s: float
    job_id: str | None
    result: Mapping[str, Any]
    error: str | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def budget_s(self) -> float:
        return float(self.document["budget_s"])


class Campaigns:
    """The repository of campaigns, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: SQLAlchemy itself forgets rows that nobody holds, and would read them again.
        self._locked: dict[str, CampaignRow] = {}

    def add(self, target_id: str, document: Mapping[str, Any], requested_by: str) -> CampaignRecord:
        """A campaign, and the job that plans it."""
        row = CampaignRow(
            id=new_id(), target_id=target_id, document=dict(document), state="planning", round=0, spent_s=0.0,
            result={}, requested_by=requested_by, created_at=now_of(self._session),
        )  # fmt: skip
        self._session.add(row)
        self._session.flush()
        self._queue(row)
        self.event(row.id, "state", {"state": "planning"})
        return self._record(row)

    def get(self, campaign_id: str, *, lock: bool = False) -> CampaignRecord | None:
        """A campaign; with ``lock``, nobody else changes it before the transaction ends."""
        row = None
        if "\0" not in campaign_id:
            row = self._session.get(CampaignRow, campaign_id, with_for_update=lock or None, populate_existing=lock)
        return None if row is None else self._record(row)

    def lock(self, campaign_id: str) -> str:
        """Let nobody else who locks this campaign go on before the transaction ends; returns its state."""
        row = self._session.get_one(CampaignRow, campaign_id, with_for_update=True, populate_existing=True)
        self._locked[campaign_id] = row
        return row.state

    def newest(self, number: int) -> list[CampaignRecord]:
        """The newest campaigns first (ids sort by time)."""
        query = select(CampaignRow).order_by(CampaignRow.id.desc()).limit(number)
        return [self._record(row) for row in self._session.scalars(query)]

    def outlines(self, number: int, known: MutableMapping[str, Mapping[str, Any]]) -> list[CampaignRecord]:
        """As `newest`, but without the graphs of architectures, which may be large.

        Documents never change: those that are ``known`` by their campaigns' ids are not read again; new ones are added.
        """
        query = select(CampaignRow).options(defer(CampaignRow.document)).order_by(CampaignRow.id.desc()).limit(number)
        return [self._outline(row, known) for row in self._session.scalars(query)]

    def outline(self, campaign_id: str, known: MutableMapping[str, Mapping[str, Any]]) -> CampaignRecord | None:
        """As `get`, but as `outlines` do."""
        if "\0" in campaign_id:
            return None
        row = self._session.get(CampaignRow, campaign_id, options=[defer(CampaignRow.document)])
        return None if row is None else self._outline(row, known)

    def measure(self, campaign_id: str, round_: int) -> None:
        """The tasks of a round are there."""
        row = self._session.get_one(CampaignRow, campaign_id)
        row.round = round_
        self._enter(row, "measuring")

    def train(self, campaign_id: str) -> None:
        """Everything was measured; its job goes on."""
        self._enter(self._session.get_one(CampaignRow, campaign_id), "training")

    def plan(self, campaign_id: str) -> None:
        """A round is over: queue the job that decides what comes next. Does nothing unless it is measuring."""
        row = self._session.get_one(CampaignRow, campaign_id, with_for_update=True)
        if row.state == "measuring":
            self._queue(row)
            self._enter(row, "planning")

    def spend(self, campaign_id: str, seconds: float) -> CampaignRecord:
        """Count the seconds that a device measured, for a campaign that is locked."""
        row = self._locked[campaign_id]
        row.spent_s += seconds
        return self._record(row)

    def pause(self, campaign_id: str) -> None:
        """Hand out no more tasks; those under way are finished."""
        self._turn(campaign_id, "measuring", "paused")

    def resume(self, campaign_id: str) -> None:
        """Hand out tasks again."""
        self._turn(campaign_id, "paused", "measuring")

    def end(
        self, campaign_id: str, state: str, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """It is over; a campaign that was over stays as it is."""
        row = self._session.get_one(CampaignRow, campaign_id, with_for_update=True)
        if row.state in FINAL:
            return
        if state == "cancelled" and row.job_id is not None:
            Jobs(self._session).cancel(row.job_id)
        row.result = dict(result) if result is not None else row.result
        row.error, row.finished_at = error, now_of(self._session)
        self._enter(row, state)

    def event(self, campaign_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Note what happened."""
        at = now_of(self._session)
        self._session.add(CampaignEventRow(campaign_id=campaign_id, at=at, kind=kind, data=dict(data)))

    def events(self, campaign_id: str, after: int = 0) -> list[JobEvent]:
        """What happened to a campaign since an event."""
        query = select(CampaignEventRow).where(
            CampaignEventRow.campaign_id == campaign_id, CampaignEventRow.id > after
        ).order_by(CampaignEventRow.id)  # fmt: skip
        return [JobEvent(row.id, row.at, row.kind, row.data) for row in self._session.scalars(query)]

    def _turn(self, campaign_id: str, before: str, after: str) -> None:
        row = self._session.get_one(CampaignRow, campaign_id, with_for_update=True)
        if row.state == before:
            self._enter(row, after)

    def _queue(self, row: CampaignRow) -> None:
        row.job_id = Jobs(self._session).add("campaign", {"campaign": row.id}, row.requested_by).id
        self._session.flush()

    def _enter(self, row: CampaignRow, state: str) -> None:
        row.state = state
        self._session.flush()
        data: dict[str, Any] = {"state": state, "round": row.round}
        self.event(row.id, "state", data | ({"error": row.error} if row.error else {}))

    def _outline(self, row: CampaignRow, known: MutableMapping[str, Mapping[str, Any]]) -> CampaignRecord:
        if row.id not in known:
            graphs = [{"name": a["name"], "hash": a["hash"]} for a in row.document["architectures"]]
            known[row.id] = {**row.document, "architectures": graphs}
        return self._record(row, known[row.id])

    def _record(self, row: CampaignRow, document: Mapping[str, Any] | None = None) -> CampaignRecord:
        """A job that failed fails its campaign, even where it could not say so itself."""
        state, error, finished_at = row.state, row.error, row.finished_at
        if state in WORKED_ON and row.job_id is not None:
            job = self._session.get(JobRow, row.job_id)
            if job is not None and job.state in ("failed", "cancelled"):
                state, finished_at = job.state, job.finished_at
                error = job.error or error
        return CampaignRecord(
            row.id, row.target_id, row.document if document is None else document, state, row.round, row.spent_s,
            row.job_id, row.result, error, row.requested_by, row.created_at, finished_at,
        )  # fmt: skip
