"""Durable jobs: rows that a worker takes, keeps by renewing a lease, and finishes; with everything that happened.

::

    queued ──claim──► running ──finish──► succeeded, failed
       ▲                 │
       └──release, lease ran out           (cancel: from both to cancelled)

Every claim raises the job's fence. Whoever writes must show it, so that a worker which was taken for dead and comes
back changes nothing any more. Times are the database's where it has a clock of its own, since workers' clocks may
differ. Events of a job are written while its row is locked: their ids are in the order in which they can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    ForeignKey,
    Integer,
    String,
    Text,
    and_,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.db.clocks import now_of
from service.db.models import Base
from service.errors import LeaseLost
from service.ids import new_id

#: A job whose worker died without a word so many times is given up: it is what kills them.
MAX_CRASHES = 5
FINAL = ("succeeded", "failed", "cancelled")


class JobRow(Base):
    """A job; ``result`` may be there before the end, as what must not be done twice."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20), index=True)
    fence: Mapped[int]
    crashes: Mapped[int]
    lease_until: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(Double)
    words: Mapped[str] = mapped_column(Text)
    result: Mapped[dict[str, Any]]
    error: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobEventRow(Base):
    """Something that happened to a job: kind ``state``, ``progress`` or ``log``."""

    __tablename__ = "job_events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]

    __table_args__ = ({"sqlite_autoincrement": True},)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it was when it was read; ``progress`` is a share, ``words`` what is going on."""

    id: str
    kind: str
    arguments: Mapping[str, Any]
    state: str
    fence: int
    crashes: int
    progress: float
    words: str
    result: Mapping[str, Any]
    error: str | None
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event; ids grow with time within a job."""

    id: int
    at: datetime
    kind: str
    data: Mapping[str, Any]


class Jobs:
    """The repository of jobs, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, kind: str, arguments: Mapping[str, Any], requested_by: str) -> JobRecord:
        """Queue a job."""
        row = JobRow(
            id=new_id(), kind=kind, arguments=dict(arguments), state="queued", fence=0, crashes=0, progress=0.0,
            words="", result={}, requested_by=requested_by, created_at=self._now(),
        )  # fmt: skip
        self._session.add(row)
        self._session.flush()
        self._event(row.id, "state", {"state": "queued"})
        return _record(row)

    def get(self, job_id: str) -> JobRecord | None:
        row = None if "\0" in job_id else self._session.get(JobRow, job_id)
        return None if row is None else _record(row)

    def newest(self, number: int) -> list[JobRecord]:
        """The newest jobs first (ids sort by time)."""
        query = select(JobRow).order_by(JobRow.id.desc()).limit(number)
        return [_record(row) for row in self._session.scalars(query)]

    def count(self) -> dict[str, int]:
        """Numbers of jobs by state, of the states that there are."""
        query = select(JobRow.state, func.count()).group_by(JobRow.state)
        return {row[0]: row[1] for row in self._session.execute(query)}

    def is_any_waiting(self) -> bool:
        """Whether there is something to claim, without locking anything."""
        return self._session.scalars(select(JobRow.id).where(self._free(self._now())).limit(1)).first() is not None

    def claim(self, lease_s: float) -> JobRecord | None:
        """Take the oldest job that nobody works on, or None. Of several who ask, each gets another one."""
        now = self._now()
        query = select(JobRow).where(self._free(now)).order_by(JobRow.id)
        while True:
            row = self._session.scalars(query.limit(1).with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            if row.state == "running":
                row.crashes += 1
                if row.crashes >= MAX_CRASHES:
                    self._end(row, "failed", f"given up: its worker died {row.crashes} times without a word")
                    continue
                self._event(row.id, "log", {"text": "its worker is gone; going on with another one"})
            row.state, row.fence, row.lease_until = "running", row.fence + 1, now + timedelta(seconds=lease_s)
            row.started_at = row.started_at or now
            self._session.flush()
            self._event(row.id, "state", {"state": "running"})
            return _record(row)

    def renew(self, job: JobRecord, lease_s: float) -> None:
        """Keep a job for another while. Raises LeaseLost, as all methods below do."""
        self._change(job, lease_until=self._now() + timedelta(seconds=lease_s))

    def report(self, job: JobRecord, progress: float, words: str) -> None:
        """Say how far a job is."""
        self._change(job, progress=progress, words=words)
        self._event(job.id, "progress", {"progress": progress, "words": words})

    def log(self, job: JobRecord, text: str) -> None:
        """Say what happened."""
        self._change(job)
        self._event(job.id, "log", {"text": text})

    def keep(self, job: JobRecord, result: Mapping[str, Any]) -> None:
        """Keep what was done already, for whoever goes on if this worker dies."""
        self._change(job, result=dict(result))

    def finish(self, job: JobRecord, result: Mapping[str, Any]) -> None:
        """The job is done."""
        self._change(job, result=dict(result), progress=1.0, words="")
        self._end(self._session.get_one(JobRow, job.id), "succeeded")

    def fail(self, job: JobRecord, error: str) -> None:
        """The job cannot be done."""
        self._change(job)
        self._end(self._session.get_one(JobRow, job.id), "failed", error)

    def release(self, job: JobRecord) -> None:
        """Give a job back, for another worker: this one has to stop."""
        self._change(job, state="queued", lease_until=None)
        self._event(job.id, "state", {"state": "queued"})

    def abandon(self, job: JobRecord) -> None:
        """Let the lease run out at once: whoever worked on it is known to be dead."""
        self._change(job, lease_until=self._now() - timedelta(seconds=1))

    def cancel(self, job_id: str) -> JobRecord | None:
        """Stop a job, unless it is over already; None if there is none. Its worker notices when it next writes."""
        row = None if "\0" in job_id else self._session.get(JobRow, job_id, with_for_update=True)
        if row is None:
            return None
        if row.state not in FINAL:
            self._end(row, "cancelled")
        return _record(row)

    def events(self, job_id: str, after: int = 0) -> list[JobEvent]:
        """What happened to a job since an event."""
        query = select(JobEventRow).where(JobEventRow.job_id == job_id, JobEventRow.id > after).order_by(JobEventRow.id)
        return [JobEvent(row.id, row.at, row.kind, row.data) for row in self._session.scalars(query)]

    @staticmethod
    def _free(now: datetime) -> ColumnElement[bool]:
        return or_(JobRow.state == "queued", and_(JobRow.state == "running", JobRow.lease_until < now))

    def _change(self, job: JobRecord, **values: Any) -> None:
        mine = (JobRow.id == job.id, JobRow.fence == job.fence, JobRow.state == "running")
        statement = update(JobRow).where(*mine).values(**{"fence": job.fence, **values})
        if not self._session.connection().execute(statement).rowcount:
            raise LeaseLost(f"the job {job.id} was cancelled or taken over by another worker")
        self._session.expire_all()

    def _end(self, row: JobRow, state: str, error: str | None = None) -> None:
        row.state, row.error, row.finished_at, row.lease_until = state, error, self._now(), None
        self._session.flush()
        self._event(row.id, "state", {"state": state} | ({"error": error} if error else {}))

    def _event(self, job_id: str, kind: str, data: Mapping[str, Any]) -> None:
        self._session.add(JobEventRow(job_id=job_id, at=self._now(), kind=kind, data=dict(data)))
        self._session.flush()

    def _now(self) -> datetime:
        return now_of(self._session)


def _record(row: JobRow) -> JobRecord:
    return JobRecord(
        row.id, row.kind, row.arguments, row.state, row.fence, row.crashes, row.progress, row.words, row.result,
        row.error, row.requested_by, row.created_at, row.started_at, row.finished_at,
    )  # fmt: skip
