"""API keys in the database. A key is never deleted: its id stays known, and a service that ever had one wants one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.db.models import Base


class KeyRow(Base):
    """A key; ``digest`` is what `service.keys` makes of its secret, ``scopes`` are separated by spaces."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key without its secret."""

    id: str
    name: str
    scopes: frozenset[str]
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class ApiKeys:
    """The repository of API keys, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, record: KeyRecord) -> None:
        self._session.add(
            KeyRow(
                id=record.id,
                name=record.name,
                scopes=" ".join(sorted(record.scopes)),
                digest=record.digest,
                created_at=record.created_at,
                expires_at=record.expires_at,
                revoked_at=record.revoked_at,
            )
        )
        self._session.flush()

    def all(self) -> list[KeyRecord]:
        """Every key there ever was, the newest first."""
        query = select(KeyRow).order_by(KeyRow.created_at.desc(), KeyRow.id)
        return [_record(row) for row in self._session.scalars(query)]

    def revoke(self, key_id: str, at: datetime) -> KeyRecord | None:
        """The key, which is worth nothing from now on; None if there is none. A second time changes nothing."""
        row = None if "\0" in key_id else self._session.get(KeyRow, key_id, with_for_update=True)
        if row is None:
            return None
        row.revoked_at = row.revoked_at or at
        self._session.flush()
        return _record(row)


def _record(row: KeyRow) -> KeyRecord:
    scopes = frozenset(row.scopes.split())
    return KeyRecord(row.id, row.name, scopes, row.digest, row.created_at, row.expires_at, row.revoked_at)
