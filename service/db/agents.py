"""Agents: devices that measure, and the one-time tokens by which they become known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.db.clocks import now_of
from service.db.models import Base
from service.ids import new_id

#: Databases limit the parameters of a statement.
_MOST = 500


class EnrolmentRow(Base):
    """A token that one agent may use once; ``digest`` is what `service.agents.enrolling` makes of its secret."""

    __tablename__ = "enrolments"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    requested_by: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AgentRow(Base):
    """An agent; ``target_id`` is what it measures now, ``facts`` what it said of itself, ``state`` its heartbeat."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    key_id: Mapped[str | None] = mapped_column(String(32))
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"), index=True)
    facts: Mapped[dict[str, Any]]
    state: Mapped[dict[str, Any]]
    enrolled_at: Mapped[datetime]
    seen_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class EnrolmentRecord:
    """An enrolment without its secret."""

    id: str
    name: str
    digest: str
    requested_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An agent as it was when it was read; ``key_id`` is None where the service wants no keys."""

    id: str
    name: str
    key_id: str | None
    target_id: str
    facts: Mapping[str, Any]
    state: Mapping[str, Any]
    enrolled_at: datetime
    seen_at: datetime


class Agents:
    """The repository of enrolments and agents, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: What was read: SQLAlchemy itself forgets rows that nobody holds, and would read them again.
        self._rows: list[AgentRow] = []

    def add_enrolment(self, record: EnrolmentRecord) -> None:
        self._session.add(
            EnrolmentRow(
                id=record.id, name=record.name, digest=record.digest, requested_by=record.requested_by,
                created_at=record.created_at, expires_at=record.expires_at,
            )
        )  # fmt: skip
        self._session.flush()

    def enrolment(self, enrolment_id: str) -> EnrolmentRecord | None:
        """An enrolment; nobody else can use it before the transaction ends."""
        row = self._session.get(EnrolmentRow, enrolment_id, with_for_update=True)
        if row is None:
            return None
        return EnrolmentRecord(
            row.id, row.name, row.digest, row.requested_by, row.created_at, row.expires_at, row.used_at
        )

    def use_enrolment(self, enrolment_id: str) -> None:
        """The token is worth nothing from now on."""
        self._session.get_one(EnrolmentRow, enrolment_id).used_at = now_of(self._session)
        self._session.flush()

    def add(self, name: str, key_id: str | None, target_id: str, facts: Mapping[str, Any]) -> AgentRecord:
        """A new agent."""
        now = now_of(self._session)
        row = AgentRow(
            id=new_id(), name=name, key_id=key_id, target_id=target_id, facts=dict(facts), state={}, enrolled_at=now,
            seen_at=now,
        )  # fmt: skip
        self._session.add(row)
        self._session.flush()
        return _record(row)

    def get(self, agent_id: str) -> AgentRecord | None:
        row = None if "\0" in agent_id else self._session.get(AgentRow, agent_id)
        return None if row is None else _record(row)

    def of(self, agent_ids: Collection[str]) -> dict[str, AgentRecord]:
        """Those that there are, by their ids."""
        known = sorted({agent_id for agent_id in agent_ids if "\0" not in agent_id})
        found: dict[str, AgentRecord] = {}
        for start in range(0, len(known), _MOST):
            query = select(AgentRow).where(AgentRow.id.in_(known[start : start + _MOST]))
            rows = self._session.scalars(query).all()
            self._rows += rows
            found |= {row.id: _record(row) for row in rows}
        return found

    def of_key(self, key_id: str) -> AgentRecord | None:
        """The newest agent that uses a key."""
        query = select(AgentRow).where(AgentRow.key_id == key_id).order_by(AgentRow.id.desc())
        row = self._session.scalars(query.limit(1)).first()
        return None if row is None else _record(row)

    def all(self) -> list[AgentRecord]:
        """Every agent, the newest first."""
        return [_record(row) for row in self._session.scalars(select(AgentRow).order_by(AgentRow.id.desc()))]

    def newest_of(self, target_id: str) -> AgentRecord | None:
        """The agent of a target that was heard of last."""
        query = select(AgentRow).where(AgentRow.target_id == target_id).order_by(AgentRow.seen_at.desc())
        row = self._session.scalars(query.limit(1)).first()
        return None if row is None else _record(row)

    def seen(
        self,
        agent_id: str,
        at: datetime,
        *,
        target_id: str | None = None,
        facts: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Note that it was heard of, and what it said; what is None stays as it was."""
        row = self._session.get_one(AgentRow, agent_id)
        row.seen_at = at
        row.target_id = target_id or row.target_id
        row.facts = dict(facts) if facts is not None else row.facts
        row.state = dict(state) if state is not None else row.state


def _record(row: AgentRow) -> AgentRecord:
    return AgentRecord(row.id, row.name, row.key_id, row.target_id, row.facts, row.state, row.enrolled_at, row.seen_at)
