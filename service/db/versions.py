"""Targets, versions of lookup tables and predictors, and promotions in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.db.models import AliasRow, PredictorRow, PredictorTableRow, PromotionRow, TableRow, TargetRow
from service.db.records import PredictorRecord, PromotionRecord, TableRecord, TargetRecord
from service.db.upserts import insert_missing, insert_or_update


class Versions:
    """The repository of versions, within a transaction that the caller opened."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # Targets

    def add_target(self, record: TargetRecord) -> None:
        """Add a target that may be there already."""
        values = {
            "id": record.id, "document": dict(record.document), "emulated": record.emulated,
            "created_at": record.created_at,
        }  # fmt: skip
        insert_missing(self._session, TargetRow, values)

    def lock(self, target_id: str) -> None:
        """Let nobody else who locks this target go on before the transaction ends, so that numbers are given once."""
        self._session.execute(select(TargetRow.id).where(TargetRow.id == target_id).with_for_update())

    def set_alias(self, name: str, target_id: str) -> None:
        """Give a target a name, taking it away from another one."""
        insert_or_update(self._session, AliasRow, {"name": name, "target_id": target_id}, ["name"])

    def targets(self) -> list[TargetRecord]:
        """All targets, oldest first."""
        aliases: dict[str, list[str]] = {}
        for alias in self._session.scalars(select(AliasRow).order_by(AliasRow.name)):
            aliases.setdefault(alias.target_id, []).append(alias.name)
        rows = self._session.scalars(select(TargetRow).order_by(TargetRow.created_at, TargetRow.id))
        return [replace(_target(row), aliases=tuple(aliases.get(row.id, ()))) for row in rows]

    def target_id(self, name: str) -> str | None:
        """The id that an id or an alias stands for."""
        if self._session.get(TargetRow, name) is not None:
            return name
        alias = self._session.get(AliasRow, name)
        return alias.target_id if alias is not None else None

    # Tables

    def add_table(self, record: TableRecord) -> None:
        """Add a lookup table version, which must not be there yet."""
        self._session.add(
            TableRow(
                target_id=record.target_id,
                version=record.version,
                manifest=dict(record.manifest),
                created_at=record.created_at,
            )
        )
        self._session.flush()

    def tables(self, target_id: str | None = None, version: str | None = None) -> list[TableRecord]:
        """Lookup table versions, newest first."""
        query = select(TableRow).order_by(TableRow.id.desc())
        if target_id is not None:
            query = query.where(TableRow.target_id == target_id)
        if version is not None:
            query = query.where(TableRow.version == version)
        return [_table(row) for row in self._session.scalars(query)]

    # Predictors

    def add_predictor(self, record: PredictorRecord) -> None:
        """Add a predictor version, which must not be there yet; its tables must be."""
        tables = [self._table_row(record.target_id, version) for version in record.tables]
        self._session.add(
            PredictorRow(
                target_id=record.target_id,
                version=record.version,
                sha256=record.sha256,
                report=dict(record.report),
                created_at=record.created_at,
                tables=[PredictorTableRow(position=i, table_id=row.id) for i, row in enumerate(tables)],
            )
        )
        self._session.flush()

    def predictors(self, target_id: str | None = None, version: str | None = None) -> list[PredictorRecord]:
        """Predictor versions, newest first."""
        query = select(PredictorRow).order_by(PredictorRow.id.desc())
        if target_id is not None:
            query = query.where(PredictorRow.target_id == target_id)
        if version is not None:
            query = query.where(PredictorRow.version == version)
        return [_predictor(row) for row in self._session.scalars(query)]

    def promote(self, target_id: str, version: str, note: str) -> None:
        """Make a predictor version, which must exist, the one that answers for its target."""
        query = select(PredictorRow.id).where(PredictorRow.target_id == target_id, PredictorRow.version == version)
        self._session.add(
            PromotionRow(
                target_id=target_id,
                predictor_id=self._session.scalars(query).one(),
                promoted_at=datetime.now(UTC),
                note=note,
            )
        )
        self._session.flush()

    def promoted(self) -> list[PromotionRecord]:
        """Who answers for each target now, the one promoted last first."""
        newest = select(func.max(PromotionRow.id)).group_by(PromotionRow.target_id)
        query = select(PromotionRow).where(PromotionRow.id.in_(newest)).order_by(PromotionRow.id.desc())
        return [_promotion(row) for row in self._session.scalars(query)]

    def promotions(self, target_id: str) -> Sequence[PromotionRecord]:
        """The history of a target's promotions, newest first."""
        query = select(PromotionRow).where(PromotionRow.target_id == target_id).order_by(PromotionRow.id.desc())
        return [_promotion(row) for row in self._session.scalars(query)]

    def _table_row(self, target_id: str, version: str) -> TableRow:
        query = select(TableRow).where(TableRow.target_id == target_id, TableRow.version == version)
        return self._session.scalars(query).one()


def _target(row: TargetRow) -> TargetRecord:
    return TargetRecord(row.id, row.document, row.emulated, row.created_at)


def _table(row: TableRow) -> TableRecord:
    return TableRecord(row.target_id, row.version, row.manifest, row.created_at)


def _predictor(row: PredictorRow) -> PredictorRecord:
    tables = tuple(entry.table.version for entry in row.tables)
    return PredictorRecord(row.target_id, row.version, row.sha256, row.report, row.created_at, tables)


def _promotion(row: PromotionRow) -> PromotionRecord:
    return PromotionRecord(_predictor(row.predictor), row.promoted_at, row.note)
