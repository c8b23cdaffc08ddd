"""The OpenAPI document: descriptions of raw bodies and problem documents, in version 3.0.3.

FastAPI writes 3.1, which the packaged Swagger UI (and many generators) cannot read; `to_3_0` rewrites what differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from archgauge_client.wire import BatchAnswer, BatchRequest, PredictionRequest, Problem
from archgauge_client.wire_admin import KeyRequest, PromotionRequest, TrainingRequest
from archgauge_client.wire_agents import (
    AgentRequest,
    CampaignRequest,
    EnrolmentRequest,
    HeartbeatRequest,
    LeaseRequest,
    ResultChunk,
)
from archgauge_client.wire_spaces import RowsRequest, SearchSpaceRequest
from service.auth import is_public
from service.problems import MEDIA_TYPE

_REFERENCE = "#/components/schemas/{model}"
_SECURITY = {
    "APIKey": {
        "type": "http", "scheme": "bearer",
        "description": "A key made by `archgauge keys create`. As long as there is none, this machine needs none.",
    }
}  # fmt: skip
_STATUS_TEXT = {
    400: "The body is not JSON, or does not decompress",
    401: "An API key is needed; without any key the service answers its own machine only",
    403: "The key does not have the scope that this needs",
    404: "Something asked for by name does not exist; `known` lists what does",
    408: "The body did not arrive in time",
    409: "Nothing was profiled and promoted yet; or the task or its name belongs to something else by now",
    413: "The body or the graph is too large",
    415: "The body's type or encoding is not accepted",
    422: "The request or the architecture is wrong; `errors`, `operators`, `dimension` or `tensor` say where",
    429: "More requests than this client may send in that time; `Retry-After` says when to come back",
    500: "A defect of the service",
    503: "The service has no capacity or no predictor now; try again",
    504: "The request took too long",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that can answer with problem documents."""
    schema = {"$ref": _REFERENCE.format(model="Problem")}
    return {
        status: {"description": _STATUS_TEXT[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in (*statuses, 500)
    }


_BYTES = {"type": "string", "format": "binary"}


def answer(
    description: str, example: dict[str, Any], model: Any = None, status: int = 200, also: Sequence[str] = ()
) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that succeeds with ``example``; ``model`` where its return type does not say.

    ``also`` are media types in which the same is answered to who asks for it.
    """
    others = {media_type: {"schema": _BYTES} for media_type in also}
    response: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"example": example}, **others},
    }
    return {status: response if model is None else {**response, "model": model}}


def body(media_type: str, model: str | None, examples: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The ``openapi_extra`` of an endpoint that reads its body itself: JSON of a model, or bytes."""
    schema = {"$ref": _REFERENCE.format(model=model)} if model else _BYTES
    return {"requestBody": {"required": required, "content": {media_type: {"schema": schema, "examples": examples}}}}


def either_body(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The ``openapi_extra`` of an endpoint that takes what one or the other `body` describes."""
    one, other = first["requestBody"], second["requestBody"]
    return {"requestBody": {**one, "content": one["content"] | other["content"]}}


def lines_answer(description: str, example: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that succeeds with NDJSON; every line is a `BatchAnswer` or a problem."""
    return {200: {"description": description, "content": {"application/x-ndjson": {
        "schema": {"type": "string", "description": "Lines of `BatchAnswer` or `Problem`."}, "example": example,
    }}}}  # fmt: skip


def lines_body(model: str, examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The ``openapi_extra`` of an endpoint that takes several of a model, as lines or as an array."""
    array = {"type": "array", "items": {"$ref": _REFERENCE.format(model=model)}}
    lines = {"type": "string", "description": f"Lines of `{model}`."}
    content = {
        "application/json": {"schema": array, "examples": examples["array"]},
        "application/x-ndjson": {"schema": lines, "examples": examples["lines"]},
    }
    return {"requestBody": {"required": True, "content": content}}


def install(app: FastAPI) -> None:
    """Let the application describe itself in 3.0.3."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = to_3_0(_complete(app))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
    )
    _, extra = models_json_schema(
        [
            (PredictionRequest, "validation"),
            (BatchRequest, "validation"),
            (BatchAnswer, "serialization"),
            (KeyRequest, "validation"),
            (TrainingRequest, "validation"),
            (PromotionRequest, "validation"),
            (SearchSpaceRequest, "validation"),
            (RowsRequest, "validation"),
            (EnrolmentRequest, "validation"),
            (AgentRequest, "validation"),
            (LeaseRequest, "validation"),
            (HeartbeatRequest, "validation"),
            (ResultChunk, "validation"),
            (CampaignRequest, "validation"),
            (Problem, "serialization"),
        ],
        ref_template=_REFERENCE,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in extra["$defs"].items():
        schemas.setdefault(name, schema)
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape of errors, which is never sent
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = _SECURITY
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _answer_problems(operation)
            _say_who_may(operation, is_public(path))
    return document


def _say_who_may(operation: dict[str, Any], public: bool) -> None:
    """Every endpoint runs `service.auth.authenticate`, which lets public ones pass and asks the database of others."""
    if not public:
        operation["security"] = [{name: []} for name in _SECURITY]
        operation["responses"] |= {str(status): problem_responses(status)[status] for status in (401, 403, 429, 503)}


def _answer_problems(operation: dict[str, Any]) -> None:
    """Replace the 422 that FastAPI adds wherever there are parameters."""
    if "application/json" in operation["responses"].get("422", {}).get("content", {}):
        operation["responses"]["422"] = problem_responses(422)[422]


def to_3_0(document: dict[str, Any]) -> dict[str, Any]:
    """A document of OpenAPI 3.1 in terms of 3.0.3."""
    info = {k: v for k, v in document["info"].items() if k != "summary"}
    converted = {**document, "openapi": "3.0.3", "info": info}
    schemas = {name: _schema(schema) for name, schema in document["components"]["schemas"].items()}
    converted["components"] = {**document["components"], "schemas": schemas}
    converted["paths"] = _schemas_within(document["paths"])
    return converted


def _schemas_within(value: Any) -> Any:
    """Convert every schema below a part of the document that is not itself a schema."""
    if isinstance(value, list):
        return [_schemas_within(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _schema(item) if key == "schema" else item if key in ("example", "examples") else _schemas_within(item)
        for key, item in value.items()
    }


def _schema(schema: Any) -> Any:
    """A JSON schema of draft 2020-12, as pydantic writes it, as a schema object of 3.0.3."""
    if not isinstance(schema, dict):
        return schema
    out = {key: value for key, value in schema.items() if key not in ("const", "examples", "anyOf")}
    if "const" in schema:
        out["enum"] = [schema["const"]]
    if schema.get("examples"):
        out["example"] = schema["examples"][0]
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema:
            out[inclusive], out[exclusive] = schema[exclusive], True
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = _schema(out[key])
    for key in ("allOf", "oneOf"):
        if key in out:
            out[key] = [_schema(item) for item in out[key]]
    if "properties" in out:
        out["properties"] = {name: _schema(item) for name, item in out["properties"].items()}
    return _nullable(out, schema["anyOf"]) if "anyOf" in schema else out


def _nullable(out: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    real = [_schema(choice) for choice in choices if choice != {"type": "null"}]
    if len(real) < len(choices):
        out["nullable"] = True
    if len(real) > 1:
        return {**out, "anyOf": real}
    return {**out, "allOf": real} if "$ref" in real[0] else {**real[0], **out}
