"""What both clients share: models to requests, responses to answers or errors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from archgauge_client.errors import NotAModel, ServiceUnreachable, from_problem
from archgauge_client.stripping import strip_file, strip_weights
from archgauge_client.wire import Detail, GraphArchitecture, OnnxArchitecture, PredictionRequest, Problem

Model = str | os.PathLike[str] | bytes | Mapping[str, Any]
"""A path to an .onnx or .json file, the bytes of one, or a JSON graph as a mapping."""

Answer = TypeVar("Answer", bound=BaseModel)


def architecture(model: Model) -> OnnxArchitecture | GraphArchitecture:
    """The model as it is sent: without large weights.

    Raises:
        NotAModel: neither ONNX nor a JSON graph.
        OSError: the file cannot be read.
    """
    if isinstance(model, Mapping):
        return GraphArchitecture(format="graph", graph=dict(model))
    if isinstance(model, bytes):
        if model.lstrip()[:1] == b"{":
            return GraphArchitecture(format="graph", graph=_json_graph(model, "the bytes"))
        return OnnxArchitecture(format="onnx", onnx=strip_weights(model))
    path = Path(model)
    if path.suffix.lower() == ".json":
        return GraphArchitecture(format="graph", graph=_json_graph(path.read_bytes(), str(path)))
    return OnnxArchitecture(format="onnx", onnx=strip_file(path))


def _json_graph(text: bytes, what: str) -> dict[str, Any]:
    try:
        graph = json.loads(text)
    except ValueError as error:
        raise NotAModel(f"{what}: not a JSON graph: {error}") from error
    if not isinstance(graph, dict):
        raise NotAModel(f"{what}: not a JSON graph: the outermost value is a {type(graph).__name__}")
    return graph


def prediction_request(
    model: Model,
    targets: str | Sequence[str],
    predictor: str | None,
    batch_size: int | None,
    dims: Mapping[str, int],
    input_shapes: Mapping[str, Sequence[int]],
    detail: Detail,
    confidence: float,
    strict: bool,
) -> PredictionRequest:
    return PredictionRequest(
        architecture=architecture(model),
        targets=[targets] if isinstance(targets, str) else list(targets),
        predictor=predictor,
        batch_size=batch_size,
        dims=dict(dims),
        input_shapes={name: list(shape) for name, shape in input_shapes.items()},
        detail=detail,
        confidence=confidence,
        strict=strict,
    )


def prediction_path(prediction_id: str) -> str:
    return f"/v1/predictions/{quote(prediction_id, safe='')}"


def table_path(space: str) -> str:
    return f"/v1/search-spaces/{quote(space, safe='')}/lookup-table"


def table_parameters(fixed: Mapping[str, str], target: str | None) -> dict[str, str | list[str]]:
    """The query of a lookup table: ``fix=layer=choice`` for each fixed layer."""
    parameters: dict[str, str | list[str]] = {"fix": [f"{layer}={choice}" for layer, choice in fixed.items()]}
    return parameters if target is None else {**parameters, "target": target}


def answer(response: httpx.Response, kind: type[Answer]) -> Answer:
    """The body as ``kind``, or the error that it reports.

    Raises:
        ProblemError: the service refused or failed.
        ServiceUnreachable: who answered is no ArchGauge service.
    """
    if response.is_success:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise ServiceUnreachable(
                f"{response.request.url} answered {response.status_code}, but not as ArchGauge does: {error}"
            ) from error
    raise from_problem(_problem(response))


def _problem(response: httpx.Response) -> Problem:
    """The problem document; one made up from the status where a proxy answered instead."""
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        title = response.reason_phrase or "Error"
        return Problem(type="about:blank", title=title, status=response.status_code, detail=response.text[:500] or None)
