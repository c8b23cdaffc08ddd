"""Answers about search spaces: what a thread does for one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.responses import Response

from archgauge_client.latency_table import LayerTable, TableError
from archgauge_client.wire_spaces import AdditivityError, RowsRequest, SearchSpace, SpaceLayer, SpaceTable
from graphs import InvalidChoices
from lookup_tables import InvalidRecord
from lookup_tables.interchange import MEDIA_TYPES, Form, read_matrix, write_columns
from predictors.compiled import CompiledSpace, RowPredictions, space_table
from service.db import PredictorRecord
from service.errors import InvalidRequest
from service.spaces.library import BoundSpace
from service.workers import Deadline

if TYPE_CHECKING:
    from service.state import Service

#: What Arrow bodies are called.
ARROW = (MEDIA_TYPES["arrow"], "application/vnd.apache.arrow.file")


def describe(
    service: Service, bound: BoundSpace, target: str | None, predictor: str | None, deadline: Deadline, *,
    anew: bool = False,
) -> SearchSpace:  # fmt: skip
    """A space on a target, compiled now if that is quick; ``anew`` tries again what failed before."""
    record = _record(service, target, predictor)
    shelved = service.shelf.get(bound, record, deadline, anew=anew)
    compiled, space = shelved.compiled, bound.space
    known: dict[str, Any] = {}
    if compiled is not None:
        errors = compiled.errors
        known = {
            "architectures": compiled.architectures, "mode": compiled.mode, "compilation": dict(compiled.report),
            "additivity_error": None if errors is None else AdditivityError.model_validate(errors.to_json()),
        }  # fmt: skip
    return SearchSpace(
        id=bound.id, name=space.name, description=space.description, encodings=space.encodings,
        layers=[SpaceLayer(name=layer.name, choices=[c.name for c in layer.choices]) for layer in space.layers],
        batch_size=bound.batch_size, dims=dict(bound.dims), target=record.target_id, predictor=record.version,
        status="compiling" if compiled is None else "ready", job=None if shelved.job is None else shelved.job.id,
        **known,
    )  # fmt: skip


def dump(answer: SearchSpace | SpaceTable) -> bytes:
    """As JSON, in which whole numbers may be as large as spaces are."""
    return answer.model_dump_json().encode()


def fixed(texts: Sequence[str]) -> dict[str, str | int]:
    """``LAYER=CHOICE`` texts; a choice may be given by name or position. Raises InvalidRequest."""
    result: dict[str, str | int] = {}
    for text in texts:
        layer, _, choice = text.partition("=")
        if not layer or not choice:
            raise InvalidRequest("the query parameter fix is wrong", [("query.fix", f"{text!r} is not LAYER=CHOICE")])
        result[layer] = choice
    return result


def table(
    service: Service, bound: BoundSpace, target: str | None, predictor: str | None, chosen: dict[str, str | int],
    form: str, deadline: Deadline,
) -> Response:  # fmt: skip
    """The lookup table in one of its forms."""
    record = _record(service, target, predictor)
    compiled = service.shelf.ready(bound, record, deadline, pinned=predictor is not None)
    found = space_table(compiled, chosen)
    version = compiled.predictor.version
    layers = []
    for i, (layer, choices) in enumerate(zip(bound.space.layers, found.choices, strict=True)):
        energies = None if found.energy_mj is None else found.energy_mj[i].tolist()
        names = [layer.choices[c].name for c in choices]
        latencies = found.latency_ms[i].tolist()
        layers.append(LayerTable(name=layer.name, choices=names, latency_ms=latencies, energy_mj=energies))
    answer = SpaceTable(
        space=bound.id, target=record.target_id, predictor=version, layers=layers,
        fixed_latency_ms=found.fixed_latency_ms, fixed_energy_mj=found.fixed_energy_mj,
        error=TableError(mean=found.error_mean, max=found.error_max),
    )  # fmt: skip
    if form == "json":
        return Response(dump(answer), media_type="application/json")
    positions = [choice for choices in found.choices for choice in choices]
    return _columns(answer, positions, "parquet" if form == "parquet" else "arrow")


def _columns(answer: SpaceTable, positions: list[int], form: Form) -> Response:
    rows = [(layer, i) for layer in answer.layers for i in range(len(layer.choices))]
    energies = [None if layer.energy_mj is None else layer.energy_mj[i] for layer, i in rows]
    columns: dict[str, Any] = {
        "layer": [layer.name for layer, _ in rows], "choice": [layer.choices[i] for layer, i in rows],
        "position": positions, "latency_ms": [layer.latency_ms[i] for layer, i in rows], "energy_mj": energies,
    }  # fmt: skip
    rest = answer.model_dump(exclude={"layers"})
    metadata = {key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in rest.items()}
    return Response(write_columns(columns, form, metadata), media_type=MEDIA_TYPES[form])


def json_rows(service: Service, space: str, asked: RowsRequest, deadline: Deadline) -> Response:
    """Rows that came as JSON."""
    bound = service.engine.library.find(space)
    layers = len(bound.space.layers)
    for index, row in enumerate(asked.choices):
        if len(row) != layers:
            raise InvalidChoices(f"row {index} has {len(row)} choices; {bound.space.name} has {layers} layers")
    rows = np.array(asked.choices, dtype=np.int64).reshape(-1, layers)
    compiled, told = _predict(service, bound, asked, rows, deadline)
    energy = None
    if told.energy_mj is not None:
        energy = {"value": told.energy_mj, "lower": told.energy_lower_mj, "upper": told.energy_upper_mj}
    answer = {
        "space": bound.id, "target": compiled.predictor.target.id, "predictor": compiled.predictor.version,
        "confidence": asked.confidence,
        "latency_ms": {
            "value": told.latency_ms, "lower": told.latency_lower_ms, "upper": told.latency_upper_ms,
        },
        "energy_mj": energy, "peak_memory_bytes": told.peak_memory_bytes,
        "out_of_distribution": told.out_of_distribution,
    }  # fmt: skip
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def arrow_rows(service: Service, space: str, asked: RowsRequest, data: bytes, deadline: Deadline) -> Response:
    """Rows that came as Arrow."""
    bound = service.engine.library.find(space)
    try:
        rows = read_matrix(data, [layer.name for layer in bound.space.layers])
    except InvalidRecord as error:
        raise InvalidRequest("the body is not a table of choices", [("body", str(error))]) from None
    compiled, told = _predict(service, bound, asked, rows, deadline)
    columns: dict[str, NDArray[Any]] = {
        "latency_ms": told.latency_ms, "latency_lower_ms": told.latency_lower_ms,
        "latency_upper_ms": told.latency_upper_ms,
    }  # fmt: skip
    if told.energy_mj is not None and told.energy_lower_mj is not None and told.energy_upper_mj is not None:
        columns |= {
            "energy_mj": told.energy_mj, "energy_lower_mj": told.energy_lower_mj,
            "energy_upper_mj": told.energy_upper_mj,
        }  # fmt: skip
    columns |= {"peak_memory_bytes": told.peak_memory_bytes, "out_of_distribution": told.out_of_distribution}
    metadata = {
        "space": bound.id, "target": compiled.predictor.target.id, "predictor": compiled.predictor.version,
        "confidence": str(asked.confidence),
    }  # fmt: skip
    return Response(write_columns(columns, "arrow", metadata), media_type=MEDIA_TYPES["arrow"])


def _predict(
    service: Service, bound: BoundSpace, asked: RowsRequest, rows: NDArray[np.integer], deadline: Deadline
) -> tuple[CompiledSpace, RowPredictions]:
    record = _record(service, asked.target, asked.predictor)
    compiled = service.shelf.ready(bound, record, deadline, pinned=asked.predictor is not None)
    return compiled, compiled.predict(rows, asked.confidence, check=deadline.check)


def _record(service: Service, target: str | None, predictor: str | None) -> PredictorRecord:
    return service.engine.catalogue.resolve([] if target is None else [target], predictor)[0]
