"""Lookup table versions, read-only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from archgauge_client.wire import LookupTable, LookupTableList
from service import examples
from service.db import TableRecord
from service.openapi import answer, problem_responses
from service.routes.targets import timestamp
from service.state import CurrentService

router = APIRouter(tags=["versions"])


@router.get(
    "/v1/lookup-tables",
    summary="List lookup table versions",
    operation_id="list_lookup_tables",
    responses=answer("The versions", {"lookup_tables": [examples.LOOKUP_TABLE]}) | problem_responses(404),
)
def list_lookup_tables(
    service: CurrentService,
    target: Annotated[str | None, Query(description="Id or alias of a target.", examples=[examples.TARGET_ID])] = None,
) -> LookupTableList:
    """The versions of one target or of all, newest first."""
    return LookupTableList(lookup_tables=[_describe(record) for record in service.store.tables(target)])


@router.get(
    "/v1/lookup-tables/{version}",
    summary="One lookup table version",
    operation_id="get_lookup_table",
    responses=answer("The version", {**examples.LOOKUP_TABLE, "manifest": {"schema": 1}}) | problem_responses(404),
)
def get_lookup_table(
    version: Annotated[str, Path(examples=[examples.TABLE_VERSION])],
    service: CurrentService,
    target: Annotated[str | None, Query(description="Needed only if two targets have the same version.")] = None,
) -> LookupTable:
    """A version with its manifest: device fingerprint, lowering profile, protocol, units, counts and checksums."""
    record = service.store.table(version, target)
    return _describe(record).model_copy(update={"manifest": dict(record.manifest)})


def _describe(record: TableRecord) -> LookupTable:
    return LookupTable(
        target=record.target_id,
        version=record.version,
        parent=record.manifest.get("parent"),
        rows=int(record.manifest["rows"]),
        created_at=timestamp(record.created_at),
    )
