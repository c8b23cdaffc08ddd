"""Measurements that came in and were acknowledged, before they become part of a lookup table version.

A table version is a Parquet file, made at once and never changed; what devices send arrives in chunks over hours, must
survive as soon as it is acknowledged, and may arrive twice. So it waits here. A chunk is named by its origin (whose it
is) and its number, and is there completely or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, Double, ForeignKey, Integer, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lookup_tables import Measurement
from service.db.models import Base
from service.db.upserts import insert_missing
from service.errors import ContentConflict

_COLUMNS = ("chunk_id", "kernel_key", "mode", "latency_us", "error", "document")


class ChunkRow(Base):
    """A chunk of measurements of a target; ``sha256`` is over its content as it was sent."""

    __tablename__ = "measurement_chunks"
    __table_args__ = (UniqueConstraint("origin", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"), index=True)
    origin: Mapped[str] = mapped_column(String(200))
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    received_at: Mapped[datetime]


class MeasurementRow(Base):
    """One measurement: ``document`` is `Measurement.to_json`, the rest what one looks for. Ids are in order of time."""

    __tablename__ = "measurements"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    chunk_id: Mapped[int] = mapped_column(ForeignKey("measurement_chunks.id"), index=True)
    kernel_key: Mapped[str | None] = mapped_column(String(64))
    mode: Mapped[str] = mapped_column(String(20))
    latency_us: Mapped[float | None] = mapped_column(Double)
    error: Mapped[str | None] = mapped_column(String(20))
    document: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """Names a chunk and its content."""

    target_id: str
    origin: str
    number: int
    sha256: str
    received_at: datetime
    rows: int = 0


class Measurements:
    """The repository of measurements, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, chunk: ChunkRecord, measurements: Sequence[Measurement]) -> bool:
        """Keep a chunk; returns False if it was there already, and then changes nothing.

        Raises:
            ContentConflict: another content was sent under the same origin and number.
        """
        values: dict[str, Any] = {
            "target_id": chunk.target_id, "origin": chunk.origin, "number": chunk.number, "sha256": chunk.sha256,
            "rows": len(measurements), "received_at": chunk.received_at,
        }  # fmt: skip
        new = insert_missing(self._session, ChunkRow, values)
        if new is not None:
            self._insert(_rows(new[0], measurements))
            return True
        query = select(ChunkRow).where(ChunkRow.origin == chunk.origin, ChunkRow.number == chunk.number)
        row = self._session.scalars(query).one()
        if (row.sha256, row.target_id) != (chunk.sha256, chunk.target_id):
            raise ContentConflict(f"chunk {chunk.number} of {chunk.origin} was sent before with another content")
        return False

    def known(self, origins: Collection[str]) -> dict[tuple[str, int], str]:
        """What was sent under these origins, which must be few: hashes by origin and number."""
        query = select(ChunkRow.origin, ChunkRow.number, ChunkRow.sha256).where(ChunkRow.origin.in_(sorted(origins)))
        return {(row.origin, row.number): row.sha256 for row in self._session.execute(query)}

    def sha256(self, origin: str, number: int) -> str | None:
        """What was sent as a chunk; None if nothing was."""
        query = select(ChunkRow.sha256).where(ChunkRow.origin == origin, ChunkRow.number == number)
        return self._session.scalars(query).first()

    def chunks(self, target_id: str) -> list[ChunkRecord]:
        """What came in for a target, by origin and number."""
        query = select(ChunkRow).where(ChunkRow.target_id == target_id).order_by(ChunkRow.origin, ChunkRow.number)
        return [
            ChunkRecord(row.target_id, row.origin, row.number, row.sha256, row.received_at, row.rows)
            for row in self._session.scalars(query)
        ]

    def of(self, origins: Iterable[str]) -> list[Measurement]:
        """All measurements of these origins, in the order of origin and chunk."""
        query = (
            select(MeasurementRow.document)
            .join(ChunkRow, ChunkRow.id == MeasurementRow.chunk_id)
            .where(ChunkRow.origin.in_(list(origins)))
            .order_by(ChunkRow.origin, ChunkRow.number, MeasurementRow.id)
        )
        return [Measurement.from_json(orjson.loads(text)) for text in self._session.scalars(query)]

    def _insert(self, rows: Iterator[tuple[Any, ...]]) -> None:
        """PostgreSQL's COPY takes some 100,000 rows a second, INSERT a tenth of that."""
        connection = self._session.connection()
        if connection.dialect.name != "postgresql":
            places = ", ".join("?" * len(_COLUMNS))
            connection.exec_driver_sql(
                f"INSERT INTO measurements ({', '.join(_COLUMNS)}) VALUES ({places})", list(rows)
            )
            return
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY measurements ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def _rows(chunk_id: int, measurements: Sequence[Measurement]) -> Iterator[tuple[Any, ...]]:
    for m in measurements:
        key = None if m.kernel is None else m.kernel.key
        yield chunk_id, key, m.mode, m.latency_us, m.error, orjson.dumps(m.to_json()).decode()
