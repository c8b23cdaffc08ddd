"""Predictions: make one, fetch one."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from archgauge_client.wire import Detail, PredictionResponse
from service import examples
from service.answers import PredictionWork
from service.db import PredictionRecord, Predictions
from service.errors import InvalidRequest, UnknownPrediction
from service.openapi import answer, body, problem_responses
from service.routes._bodies import read_json, read_onnx
from service.routes._connections import run_while_connected
from service.state import CurrentService, Service

router = APIRouter(tags=["predictions"])

_ANSWER = answer("The predictions", examples.PREDICTION_RESPONSE, PredictionResponse)


@router.post(
    "/v1/predictions",
    summary="Predict what an architecture will cost",
    operation_id="predict",
    response_class=Response,
    responses=_ANSWER | problem_responses(400, 404, 408, 409, 413, 415, 422, 503, 504),
    openapi_extra=body("application/json", "PredictionRequest", examples.REQUESTS),
)
async def predict(request: Request, service: CurrentService) -> Response:
    """One architecture on one or more targets. The answer is stored, to be fetched again by its id."""
    data = await read_json(request, service.settings.request_time_limit_s)
    return await _answer(request, service, PredictionWork(service.engine, data))


@router.post(
    "/v1/predictions/onnx",
    summary="Predict what an ONNX file will cost",
    operation_id="predict_onnx",
    response_class=Response,
    responses=_ANSWER | problem_responses(400, 404, 408, 409, 413, 415, 422, 503, 504),
    openapi_extra=body("application/octet-stream", None, examples.ONNX_FILES),
)
async def predict_onnx(
    request: Request,
    service: CurrentService,
    name: Annotated[str | None, Query(max_length=200, description="What to call it in the answer.")] = None,
    target: Annotated[list[str] | None, Query(description="Id or alias; repeat it for several targets.")] = None,
    predictor: Annotated[str | None, Query(description="A predictor version to pin.")] = None,
    batch_size: Annotated[int | None, Query(ge=1, description="Binds leading batch dimensions.")] = None,
    dim: Annotated[
        list[str] | None, Query(description="NAME=SIZE of a symbolic dimension; repeat it.", examples=["batch=8"])
    ] = None,
    shape: Annotated[
        list[str] | None, Query(description="INPUT=1,3,320,320; repeat it.", examples=["x=4,3,32,32"])
    ] = None,
    detail: Annotated[Detail, Query(description="`kernels` lists every kernel.")] = "summary",
    confidence: Annotated[float, Query(ge=0.5, le=0.999, description="Nominal coverage of the intervals.")] = 0.9,
    store: Annotated[bool, Query(description="Keep the answer, so that its id can be fetched again.")] = True,
    strict: Annotated[bool, Query(description="Refuse graphs with kernels that no source can price.")] = True,
) -> Response:
    """The body is the ONNX file, such as `curl --data-binary @model.onnx` sends it. Its weights are not looked at."""
    options = {
        "name": name, "targets": target or [], "predictor": predictor, "batch_size": batch_size,
        "dims": _dims(dim or []), "input_shapes": _shapes(shape or []), "detail": detail,
        "confidence": confidence, "strict": strict, "store": store,
    }  # fmt: skip
    data = await read_onnx(request, service.settings.request_time_limit_s)
    return await _answer(request, service, PredictionWork(service.engine, data, onnx=True, options=options))


@router.get(
    "/v1/predictions/{prediction_id}",
    summary="Fetch a stored prediction",
    operation_id="get_prediction",
    response_class=Response,
    responses=_ANSWER | problem_responses(404),
)
def get_prediction(
    prediction_id: Annotated[str, Path(examples=[examples.PREDICTION_ID])], service: CurrentService
) -> Response:
    """Exactly the answer that was given. Only the newest predictions are kept, 100,000 of them by default."""
    return _response(stored(service, prediction_id))


def stored(service: Service, prediction_id: str) -> PredictionRecord:
    """The record of a stored prediction; raises UnknownPrediction where there is none."""
    with service.store.database.read() as session:
        record = Predictions(session).get(prediction_id)
    if record is None:
        raise UnknownPrediction(
            f"no prediction is stored under {prediction_id!r}; "
            f"the newest {service.settings.max_stored_predictions:,} are kept"
        )
    return record


async def _answer(request: Request, service: Service, work: PredictionWork) -> Response:
    answer = await run_while_connected(request, service.workers, work, service.settings.request_time_limit_s)
    if answer.keep:
        await service.recorder.record(answer.record)
    return _response(answer.record)


def _response(record: PredictionRecord) -> Response:
    return Response(record.answer, media_type="application/json")


def _dims(texts: list[str]) -> dict[str, int]:
    return {name: sizes[0] for name, sizes in (_sizes(text, "dim", single=True) for text in texts)}


def _shapes(texts: list[str]) -> dict[str, list[int]]:
    return dict(_sizes(text, "shape", single=False) for text in texts)


def _sizes(text: str, parameter: str, single: bool) -> tuple[str, list[int]]:
    name, _, numbers = text.rpartition("=")
    try:
        sizes = [int(number) for number in numbers.split(",")] if numbers or single else []
        if not name or (single and len(sizes) != 1) or min(sizes, default=0) < 0:
            raise ValueError
    except ValueError:
        form = "NAME=SIZE" if single else "INPUT=SIZE,SIZE,…"
        message = f"{json.dumps(text)} is not of the form {form}"
        raise InvalidRequest(f"the query parameter {parameter} is wrong", [(f"query.{parameter}", message)]) from None
    return name, sizes
