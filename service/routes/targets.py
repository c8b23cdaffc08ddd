"""Targets: what can be asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from archgauge_client.wire import Target, TargetList
from service import examples
from service.catalogue import Snapshot
from service.db import TargetRecord
from service.openapi import answer, problem_responses
from service.state import CurrentService

router = APIRouter(tags=["targets"])


@router.get(
    "/v1/targets",
    summary="List targets",
    operation_id="list_targets",
    responses=answer("All targets", {"targets": [examples.TARGET]}),
)
def list_targets(service: CurrentService) -> TargetList:
    """All targets with their accuracy and noise floor; the one promoted last, which answers by default, first."""
    return TargetList(targets=describe_all(service.engine.catalogue.snapshot()))


@router.get(
    "/v1/targets/{target}",
    summary="One target",
    operation_id="get_target",
    responses=answer("The target", examples.TARGET) | problem_responses(404),
)
def get_target(target: Annotated[str, Path(examples=[examples.TARGET_ID])], service: CurrentService) -> Target:
    """A target by its id or alias."""
    return describe(service.store.target(target), service.engine.catalogue.snapshot())


def describe_all(snapshot: Snapshot) -> list[Target]:
    """Targets in the order of their last promotion, then those that have none."""
    order = {p.predictor.target_id: i for i, p in enumerate(snapshot.promotions)}
    records = sorted(snapshot.targets, key=lambda t: order.get(t.id, len(order)))
    return [describe(record, snapshot) for record in records]


def describe(record: TargetRecord, snapshot: Snapshot) -> Target:
    """What is public of a target. Accuracy, noise floor and coverage are as training found them."""
    promotion = snapshot.by_target.get(record.id)
    predictor = promotion.predictor if promotion else None
    report = predictor.report if predictor else {}
    return Target(
        id=record.id,
        aliases=list(record.aliases),
        device=dict(record.document.get("device", {})),
        runtime=f"{record.document.get('runtime', '')} {record.document.get('runtime_version', '')}".strip(),
        provider=str(record.document.get("provider", "")),
        threads=record.document.get("threads"),
        emulated=record.emulated,
        created_at=timestamp(record.created_at),
        predictor=predictor.version if predictor else None,
        tables=list(predictor.tables) if predictor else [],
        promoted_at=timestamp(promotion.promoted_at) if promotion else None,
        accuracy=dict(report.get("accuracy", {})),
        noise_floor=report.get("noise_floor"),
        coverage=dict(report.get("coverage", {})),
    )


def timestamp(moment: datetime) -> str:
    """RFC 3339, in UTC."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
