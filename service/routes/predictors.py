"""Predictor versions: list them, look at one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from archgauge_client.wire import Predictor, PredictorList
from service import examples
from service.db import PredictorRecord
from service.openapi import answer, problem_responses
from service.routes.targets import timestamp
from service.state import CurrentService, Service

router = APIRouter(tags=["versions"])


@router.get(
    "/v1/predictors",
    summary="List predictor versions",
    operation_id="list_predictors",
    responses=answer("The versions", {"predictors": [examples.PREDICTOR]}) | problem_responses(404),
)
def list_predictors(
    service: CurrentService,
    target: Annotated[str | None, Query(description="Id or alias of a target.", examples=[examples.TARGET_ID])] = None,
) -> PredictorList:
    """The versions of one target or of all, newest first."""
    return PredictorList(
        predictors=[describe(record, _answers(record, service)) for record in service.store.predictors(target)]
    )


@router.get(
    "/v1/predictors/{version}",
    summary="One predictor version",
    operation_id="get_predictor",
    responses=answer("The version", {**examples.PREDICTOR, "report": {"noise_floor": 0.013}}) | problem_responses(404),
)
def get_predictor(
    version: Annotated[str, Path(examples=[examples.PREDICTOR_VERSION])],
    service: CurrentService,
    target: Annotated[str | None, Query(description="Needed only if two targets have the same version.")] = None,
) -> Predictor:
    """A version with the report of its training: honest errors, noise floor, coverage."""
    record = service.store.predictor(version, target)
    return describe(record, _answers(record, service)).model_copy(update={"report": dict(record.report)})


def describe(record: PredictorRecord, promoted: bool) -> Predictor:
    """A predictor version without its report."""
    return Predictor(
        target=record.target_id,
        version=record.version,
        tables=list(record.tables),
        promoted=promoted,
        created_at=timestamp(record.created_at),
    )


def _answers(record: PredictorRecord, service: Service) -> bool:
    promotion = service.engine.catalogue.snapshot().by_target.get(record.target_id)
    return promotion is not None and promotion.predictor.version == record.version
