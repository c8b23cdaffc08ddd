"""The pages that show targets: what there is, how right it is, and its versions."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from lookup_tables import SentinelReading, TableVersion, sentinel_history
from service.auth import CurrentPrincipal
from service.db import TableRecord
from service.references import is_reference
from service.routes._page import Page, page
from service.routes.targets import describe, describe_all
from service.state import CurrentService, Service
from service.ui import target_reports

router = APIRouter(include_in_schema=False, route_class=Page)


@router.get("/targets")
def targets(request: Request, service: CurrentService) -> Response:
    """All targets with their accuracy."""
    rows = {record.target_id: record for record in reversed(service.store.tables())}  # the newest of each
    snapshot = service.engine.catalogue.snapshot()
    promoted = bool(snapshot.promotions)
    return page(request, "targets.html", "targets", targets=describe_all(snapshot), tables=rows, promoted=promoted)


@router.get("/targets/{target}")
def target(
    request: Request,
    service: CurrentService,
    principal: CurrentPrincipal,
    target: str,
    predictor: Annotated[str | None, Query(description="The version whose report is shown.")] = None,
) -> Response:
    """One target: how right its predictor is, where it was measured, and its history."""
    record = service.store.target(target)
    records, tables = service.store.predictors(record.id), service.store.tables(record.id)
    promotions = service.store.history(record.id)
    reference = service.store.references.find(record.id)
    if reference is not None and not promotions:
        records, tables, promotions = [*records, reference.predictor], [*tables, reference.table], [reference.promotion]
    version = predictor or (promotions[0].predictor.version if promotions else records[0].version if records else None)
    shown = service.store.predictor(version, record.id) if version else None
    report: dict[str, Any] = dict(shown.report) if shown else {}
    table = next((t for t in tables if shown and t.version in shown.tables), tables[0] if tables else None)
    return page(
        request, "target.html", "targets", target=describe(record, service.engine.catalogue.snapshot()), shown=shown,
        answering=promotions[0].predictor.version if promotions else None, report=report,
        facts=target_reports.device_facts(record.document), table=table, tables=tables,
        kinds=target_reports.kinds(report, table.manifest if table else None),
        covered=target_reports.covered(report), families=target_reports.families(report),
        points=target_reports.points(report),
        calibration=target_reports.calibration(report), drift=_drift(service, table),
        versions=target_reports.versions(records, promotions), may_promote=principal.may("admin"),
    )  # fmt: skip


def _drift(service: Service, table: TableRecord | None) -> list[tuple[str, float]]:
    """(moment, the sentinel's time over the table's reference); empty where the table is not on this machine."""
    if table is None or is_reference(table.version):
        return []
    try:
        readings = _history(service.store.table_version(table))
    except OSError:
        return []
    reference = (table.manifest.get("report") or {}).get("sentinel_us") or (readings[0].time_us if readings else 1.0)
    return [(target_reports.day(reading.started_at), reading.time_us / reference) for reading in readings]


@lru_cache(maxsize=32)
def _history(version: TableVersion) -> list[SentinelReading]:
    """Tables never change."""
    return sentinel_history(version)
