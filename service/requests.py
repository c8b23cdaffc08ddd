"""From the bytes of a request to the request: the usual form of a graph without going through dictionaries.

What `graphs.json_text` does not recognise, and whatever is wrong, goes through the models of the wire format, which say
what is wrong with which field.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct
from pydantic import ConfigDict, Field, ValidationError

from archgauge_client.wire import BatchRequest, GraphArchitecture, PredictionRequest
from graphs.json_text import GraphText
from service.errors import InvalidRequest, MalformedJson

Request = TypeVar("Request", bound=PredictionRequest)

#: Of a body's errors so many are told; of more than so many, which would take much memory, only their number.
_MOST_ERRORS, _TOO_MANY_ERRORS = 100, 10_000


class DecodedGraph(GraphArchitecture):
    """A graph that never was a dictionary."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    graph: dict[str, Any] = Field(default_factory=dict)
    text: GraphText


class _Architecture(Struct, forbid_unknown_fields=True):
    format: Literal["graph"]
    graph: GraphText


_OTHERS = [name for name in BatchRequest.model_fields if name != "architecture"]
_BODY = msgspec.defstruct(
    "_BODY", [("architecture", _Architecture), *((name, Any, UNSET) for name in _OTHERS)], forbid_unknown_fields=True
)
_DECODER = msgspec.json.Decoder(_BODY)


def parse_request(body: bytes, model: type[Request] = PredictionRequest) -> Request:  # type: ignore[assignment]
    """A request from JSON.

    Raises:
        MalformedJson: not JSON.
        InvalidRequest: fields are missing, unknown or wrong.
    """
    try:
        return _decode(body, model)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # unusual or wrong
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise invalid(error) from None


def _decode(body: bytes, model: type[Request]) -> Request:
    decoded: Any = _DECODER.decode(body)
    fields = {name: value for name in _OTHERS if (value := getattr(decoded, name)) is not UNSET}
    fields["architecture"] = DecodedGraph.model_construct(format="graph", text=decoded.architecture.graph)
    return model.model_validate(fields, strict=True)


def invalid(error: ValidationError) -> InvalidRequest:
    """What is wrong with a body, for whoever sent it."""
    if error.error_count() > _TOO_MANY_ERRORS:
        return InvalidRequest(f"{error.error_count():,} of the request's fields are wrong")
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return MalformedJson(found[0]["msg"])
    errors = [(_location(e["loc"]), e["msg"]) for e in found[:_MOST_ERRORS]]
    return InvalidRequest(f"{len(found)} of the request's fields are wrong; see errors", errors)


def _location(path: tuple[int | str, ...]) -> str:
    """``architecture.onnx``; the name of a union's branch, which pydantic puts in between, is left out."""
    parts = [str(part) for part in path]
    if len(parts) > 2 and parts[0] == "architecture" and parts[1] in ("onnx", "graph", "search_space"):
        del parts[1]
    return ".".join(parts) or "body"
