"""Batches: many predictions over one connection."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from service import examples
from service.allowances import CurrentAllowance
from service.batch.stream import BatchStream
from service.errors import Overloaded, Stopping
from service.openapi import lines_answer, lines_body, problem_responses
from service.routes._bodies import check_lines
from service.state import CurrentService

router = APIRouter(tags=["predictions"])

#: Where the limit of a body holds for every request in it instead of for all together.
PATH = "/v1/predictions/batch"


@router.post(
    PATH,
    summary="Predict what many architectures will cost",
    operation_id="predict_batch",
    response_class=Response,
    responses=lines_answer("One line per answer, in the order of the requests", examples.BATCH_ANSWER)
    | problem_responses(415, 429, 503),
    openapi_extra=lines_body("BatchRequest", examples.BATCHES),
)
async def predict_batch(request: Request, service: CurrentService, allowance: CurrentAllowance) -> Response:
    """Prediction requests as lines (NDJSON) or as a JSON array, answered line by line while they arrive.

    A line of the answer is what `POST /v1/predictions` would answer, or the problem document in its place, with the
    `index` of its request. A request with `batch_sizes` instead of `batch_size` gets a line for each of them. The
    stream may go on without end: who does not read answers is not read from. Hanging up stops the work.
    """
    check_lines(request)
    if service.stopping.asked:
        raise Stopping("the process is about to end; send the batch again")
    if service.batches.locked():
        raise Overloaded(f"{service.settings.max_batches} batches are under way; try again in a moment")
    return BatchStream(service, allowance)
