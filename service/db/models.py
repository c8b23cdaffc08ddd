"""The database's tables. Versions, promotions and predictions are only ever added; nothing here is updated in place
but aliases, which a user may move to another target.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time: aware in Python, UTC in the database (which SQLite keeps without a zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can find them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012 - as SQLAlchemy declares it


class TargetRow(Base):
    """A target; ``document`` is `lookup_tables.Target.to_json`."""

    __tablename__ = "targets"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    document: Mapped[dict[str, Any]]
    emulated: Mapped[bool]
    created_at: Mapped[datetime]


class AliasRow(Base):
    """A name that a user gave to a target."""

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"), index=True)


class TableRow(Base):
    """A lookup table version; ``manifest`` is the one beside its Parquet file."""

    __tablename__ = "lookup_tables"
    __table_args__ = (UniqueConstraint("target_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    version: Mapped[str] = mapped_column(String(40), index=True)
    manifest: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class PredictorTableRow(Base):
    """Which lookup tables a predictor was trained on, in order."""

    __tablename__ = "predictor_tables"

    predictor_id: Mapped[int] = mapped_column(ForeignKey("predictors.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    table_id: Mapped[int] = mapped_column(ForeignKey("lookup_tables.id"), index=True)
    table: Mapped[TableRow] = relationship(lazy="joined")


class PredictorRow(Base):
    """A predictor version; ``sha256`` is over all its files, ``report`` what training found."""

    __tablename__ = "predictors"
    __table_args__ = (UniqueConstraint("target_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"))
    version: Mapped[str] = mapped_column(String(40), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    report: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    tables: Mapped[list[PredictorTableRow]] = relationship(lazy="selectin", order_by=PredictorTableRow.position)


class PromotionRow(Base):
    """The history of who answers for a target: the row with the highest id does."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("targets.id"), index=True)
    predictor_id: Mapped[int] = mapped_column(ForeignKey("predictors.id"), index=True)
    promoted_at: Mapped[datetime]
    note: Mapped[str]
    predictor: Mapped[PredictorRow] = relationship(lazy="joined")

    __table_args__ = ({"sqlite_autoincrement": True},)


class PredictionRow(Base):
    """An answer that was given; ``answer`` is its JSON, compressed with zlib. Ids sort by time."""

    __tablename__ = "predictions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_at: Mapped[datetime]
    request: Mapped[dict[str, Any]]
    answer: Mapped[bytes] = mapped_column(LargeBinary)
