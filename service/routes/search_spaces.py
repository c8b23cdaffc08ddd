"""Search spaces: compile one, get its lookup table, price rows of choices."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from archgauge_client.wire_spaces import (
    RowPredictions,
    RowsRequest,
    SearchSpace,
    SearchSpaceList,
    SearchSpaceRequest,
    SpaceTable,
    StoredSpace,
)
from graphs.search_spaces import READY
from lookup_tables.interchange import MEDIA_TYPES
from service import examples_spaces as examples
from service.openapi import answer, body, either_body, problem_responses
from service.routes._bodies import media_type, read_bytes, read_model
from service.routes._connections import run_while_connected
from service.routes.targets import timestamp
from service.spaces import answers
from service.state import CurrentService, Service

router = APIRouter(tags=["search spaces"])

Space = Annotated[str, Path(max_length=80, description="Id of a space, or the name of a ready one.")]
Target = Annotated[str | None, Query(description="Id or alias; without, the one promoted last.")]
Version = Annotated[str | None, Query(description="A predictor version to pin.")]

_PROBLEMS = problem_responses(404, 409, 422, 503, 504)
_BODY_PROBLEMS = problem_responses(400, 404, 408, 409, 413, 415, 422, 503, 504)


@router.post(
    "/v1/search-spaces",
    summary="Compile a search space",
    operation_id="compile_search_space",
    status_code=201,
    response_class=Response,
    responses=answer("The space", examples.ANSWER, SearchSpace, 201) | _BODY_PROBLEMS,
    openapi_extra=body("application/json", "SearchSpaceRequest", examples.REQUESTS),
)
async def compile_search_space(request: Request, service: CurrentService) -> Response:
    """Keep a space and compile it for a target. The same space again has the same id.

    What takes longer than a few seconds becomes a job; the status is `compiling` until it is done. Its additivity error
    is measured against full predictions of architectures drawn at random.
    """
    asked = await read_model(request, SearchSpaceRequest, service.settings.request_time_limit_s)

    def work(deadline: Any) -> Response:
        bound = service.engine.library.add(asked)
        found = answers.describe(service, bound, asked.target, asked.predictor, deadline, anew=True)
        return _json(answers.dump(found), 201, {"Location": f"/v1/search-spaces/{bound.id}"})

    return await _run(request, service, work)


@router.get(
    "/v1/search-spaces",
    summary="List search spaces",
    operation_id="list_search_spaces",
    responses=answer("Ready and sent ones", examples.LIST),
)
def list_search_spaces(
    service: CurrentService, limit: Annotated[int, Query(ge=1, le=1000, description="How many.")] = 100
) -> SearchSpaceList:
    """Names of the spaces that come with ArchGauge, and those that were sent, the newest first."""
    stored = [
        StoredSpace(id=r.id, name=r.name, created_at=timestamp(r.created_at))
        for r in service.engine.library.newest(limit)
    ]
    return SearchSpaceList(ready=list(READY), search_spaces=stored)


@router.get(
    "/v1/search-spaces/{space}",
    summary="One search space",
    operation_id="get_search_space",
    response_class=Response,
    responses=answer("The space", examples.ANSWER, SearchSpace) | _PROBLEMS,
)
async def get_search_space(
    request: Request, space: Space, service: CurrentService, target: Target = None, predictor: Version = None
) -> Response:
    """Layers, choices, and what compiling for a target found; it is begun if it was not."""

    def work(deadline: Any) -> Response:
        bound = service.engine.library.find(space)
        return _json(answers.dump(answers.describe(service, bound, target, predictor, deadline)))

    return await _run(request, service, work)


@router.get(
    "/v1/search-spaces/{space}/lookup-table",
    summary="What each choice of each layer adds",
    operation_id="get_search_space_table",
    response_class=Response,
    responses=answer("The table", examples.TABLE, SpaceTable, also=tuple(MEDIA_TYPES.values())) | _PROBLEMS,
)
async def get_table(
    request: Request,
    space: Space,
    service: CurrentService,
    fix: Annotated[list[str] | None, Query(description="LAYER=CHOICE to be fixed; repeat it.")] = None,
    target: Target = None,
    predictor: Version = None,
    form: Annotated[Literal["json", "parquet", "arrow"], Query(alias="format")] = "json",
) -> Response:
    """For differentiable search: one number per choice and layer, whose sum is nearest to the prediction.

    `error` says how near. Fixing what acts on everything (a resolution, a width) makes the rest add up. With
    `format=parquet` or `arrow` it has one row per layer and choice: `layer`, `choice`, `position`, `latency_ms`,
    `energy_mj`; the rest is in the schema's metadata.
    """

    def work(deadline: Any) -> Response:
        bound = service.engine.library.find(space)
        return answers.table(service, bound, target, predictor, answers.fixed(fix or []), form, deadline)

    return await _run(request, service, work)


@router.post(
    "/v1/search-spaces/{space}/predictions",
    summary="Price rows of choices",
    operation_id="predict_rows",
    response_class=Response,
    responses=answer("One entry per row", examples.ROWS_ANSWER, RowPredictions, also=(MEDIA_TYPES["arrow"],))
    | _BODY_PROBLEMS,
    openapi_extra=either_body(
        body("application/json", "RowsRequest", examples.ROWS_REQUESTS),
        body(MEDIA_TYPES["arrow"], None, examples.ROWS_STREAM),
    ),
)
async def predict_rows(
    request: Request,
    space: Space,
    service: CurrentService,
    target: Target = None,
    predictor: Version = None,
    confidence: Annotated[float, Query(ge=0.5, le=0.999, description="Nominal coverage of the intervals.")] = 0.9,
) -> Response:
    """JSON, or an Arrow IPC stream (`application/vnd.apache.arrow.stream`), answered in kind.

    An Arrow stream has one column of whole numbers per layer, or a single one of lists of fixed size; the query says
    what fields of the JSON say otherwise.
    """
    limit_s = service.settings.request_time_limit_s
    if media_type(request) in answers.ARROW:
        data = await read_bytes(request, limit_s)
        asked = RowsRequest(choices=[], target=target, predictor=predictor, confidence=confidence)
        return await _run(request, service, lambda d: answers.arrow_rows(service, space, asked, data, d))
    asked = await read_model(request, RowsRequest, limit_s)
    return await _run(request, service, lambda d: answers.json_rows(service, space, asked, d))


def _json(data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(data, status, headers, "application/json")


async def _run(request: Request, service: Service, work: Any) -> Response:
    result = await run_while_connected(request, service.workers, work, service.settings.request_time_limit_s)
    assert isinstance(result, Response)
    return result
