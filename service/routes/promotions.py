"""Who answers: train, promote, roll back, and the history of that."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from archgauge_client.wire import Predictor
from archgauge_client.wire_admin import Job, Promotion, PromotionList, PromotionRequest, TrainingRequest
from service import examples
from service import examples_admin as admin
from service.auth import CurrentPrincipal, requires
from service.db import JobRecord, Jobs, PredictorRecord
from service.errors import UnknownTable
from service.logs import log
from service.openapi import answer, body, problem_responses
from service.routes._bodies import read_model
from service.routes.jobs import describe as describe_job
from service.routes.predictors import describe
from service.routes.targets import timestamp
from service.state import CurrentService, Service

router = APIRouter(tags=["versions"])

TargetName = Annotated[str, Path(examples=[examples.TARGET_ID])]


@router.post(
    "/v1/predictors",
    summary="Train a predictor",
    operation_id="train_predictor",
    status_code=202,
    responses=answer("The job that trains it", admin.JOB, status=202) | problem_responses(400, 404, 408, 413, 415, 422),
    openapi_extra=body("application/json", "TrainingRequest", admin.TRAINING_REQUESTS),
)
@requires("admin")
async def train(request: Request, response: Response, service: CurrentService, principal: CurrentPrincipal) -> Job:
    """Training takes minutes: the answer is a job, to be asked at its `Location` how it is doing."""
    wanted = await read_model(request, TrainingRequest, service.settings.request_time_limit_s)
    job = await asyncio.to_thread(_queue, service, wanted, principal.id)
    log.info("training queued", extra={"fields": {"job": job.id, **job.arguments, "by": principal.id}})
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return describe_job(job)


@router.post(
    "/v1/predictors/{version}/promote",
    summary="Promote a predictor",
    operation_id="promote_predictor",
    responses=answer("The predictor, which answers now", examples.PREDICTOR)
    | problem_responses(400, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=body("application/json", "PromotionRequest", admin.PROMOTION_REQUESTS, required=False),
)
@requires("admin")
async def promote(
    version: Annotated[str, Path(examples=[examples.PREDICTOR_VERSION])],
    request: Request,
    service: CurrentService,
    principal: CurrentPrincipal,
    target: Annotated[str | None, Query(description="Needed only if two targets have the same version.")] = None,
) -> Predictor:
    """It answers for its target from then on, in all processes within seconds. Its files are checked before."""
    wanted = await read_model(request, PromotionRequest, service.settings.request_time_limit_s, empty=True)
    record = await asyncio.to_thread(service.store.predictor, version, target)
    return await asyncio.to_thread(_promote, service, record, wanted.note, principal.id)


@router.post(
    "/v1/targets/{target}/rollback",
    summary="Go back to the predictor before",
    operation_id="roll_back",
    responses=answer("The predictor, which answers again", examples.PREDICTOR) | problem_responses(404, 409, 503),
)
@requires("admin")
def roll_back(target: TargetName, service: CurrentService, principal: CurrentPrincipal) -> Predictor:
    """The predictor that answered before the one that answers now is promoted again."""
    return _promote(service, service.store.before(target), "rolled back", principal.id)


@router.get(
    "/v1/targets/{target}/promotions",
    summary="Who answered when",
    operation_id="list_promotions",
    responses=answer("All promotions", {"promotions": [admin.PROMOTION]}) | problem_responses(404),
)
def list_promotions(target: TargetName, service: CurrentService) -> PromotionList:
    """All promotions of a target, the newest first; that one answers now."""
    return PromotionList(
        promotions=[
            Promotion(version=p.predictor.version, promoted_at=timestamp(p.promoted_at), note=p.note)
            for p in service.store.history(target)
        ]
    )


def _queue(service: Service, wanted: TrainingRequest, who: str) -> JobRecord:
    store = service.store
    tables = [store.table(wanted.table, wanted.target)] if wanted.table else store.tables(wanted.target)
    if not tables:
        raise UnknownTable("there is no lookup table to train on; measure one with `archgauge profile`")
    arguments = {
        "target": tables[0].target_id, "table": tables[0].version, "seed": wanted.seed, "promote": wanted.promote,
    }  # fmt: skip
    with store.database.write() as session:
        return Jobs(session).add("train", arguments, who)


def _promote(service: Service, record: PredictorRecord, note: str, who: str) -> Predictor:
    service.engine.predictors.get(record)  # refuses what cannot be loaded, before anybody is sent to it
    service.store.promote(record.version, record.target_id, note or f"by {who}")
    log.info("promoted", extra={"fields": {"target": record.target_id, "predictor": record.version, "by": who}})
    return describe(record, promoted=True)
