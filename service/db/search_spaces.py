"""Search spaces in the database: documents named by their content, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.db.models import Base
from service.db.upserts import insert_missing


class SearchSpaceRow(Base):
    """A search space with the sizes that it is bound to; ``id`` is a hash of the document."""

    __tablename__ = "search_spaces"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class SearchSpaceRecord:
    """A stored search space."""

    id: str
    name: str
    document: Mapping[str, Any]
    created_at: datetime


class SearchSpaces:
    """The repository of search spaces, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, record: SearchSpaceRecord) -> None:
        """Keep a space that may be there already."""
        values = {
            "id": record.id, "name": record.name, "document": dict(record.document), "created_at": record.created_at,
        }  # fmt: skip
        insert_missing(self._session, SearchSpaceRow, values)

    def get(self, space_id: str) -> SearchSpaceRecord | None:
        row = self._session.get(SearchSpaceRow, space_id)
        return None if row is None else _record(row)

    def newest(self, limit: int) -> list[SearchSpaceRecord]:
        """The newest first."""
        query = select(SearchSpaceRow).order_by(SearchSpaceRow.created_at.desc(), SearchSpaceRow.id).limit(limit)
        return [_record(row) for row in self._session.scalars(query)]


def _record(row: SearchSpaceRow) -> SearchSpaceRecord:
    return SearchSpaceRecord(row.id, row.name, row.document, row.created_at)
