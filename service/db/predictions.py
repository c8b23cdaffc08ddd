"""Stored predictions in the database."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from service.db.models import PredictionRow
from service.db.records import PredictionRecord


class Predictions:
    """The repository of answers that were given, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, records: Iterable[PredictionRecord]) -> None:
        rows = [
            {"id": r.id, "created_at": r.created_at, "request": dict(r.request), "answer": zlib.compress(r.answer, 1)}
            for r in records
        ]
        if rows:
            self._session.execute(insert(PredictionRow), rows)

    def get(self, prediction_id: str) -> PredictionRecord | None:
        if "\0" in prediction_id:  # PostgreSQL refuses the question
            return None
        row = self._session.get(PredictionRow, prediction_id)
        if row is None:
            return None
        return PredictionRecord(row.id, row.created_at, row.request, zlib.decompress(row.answer))

    def count(self) -> int:
        return self._session.scalar(select(func.count()).select_from(PredictionRow)) or 0

    def keep_newest(self, number: int) -> None:
        """Delete all but the ``number`` newest (ids sort by time)."""
        oldest_kept = self._session.scalar(
            select(PredictionRow.id).order_by(PredictionRow.id.desc()).limit(1).offset(number - 1)
        )
        if oldest_kept is not None:
            self._session.execute(delete(PredictionRow).where(PredictionRow.id < oldest_kept))
