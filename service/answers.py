"""From the bytes of a request to the bytes of its answer: what a thread does for one prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from archgauge_client.wire import OnnxArchitecture, PredictionRequest
from service.db import PredictionRecord
from service.engine import PricingEngine
from service.ids import new_id
from service.requests import invalid, parse_request
from service.workers import Deadline


class Answer(NamedTuple):
    """A prediction that was made; ``keep`` says whether it can be fetched again."""

    record: PredictionRecord
    keep: bool


@dataclass(frozen=True, slots=True)
class PredictionWork:
    """A prediction to make: a JSON ``body``, or an ONNX one with the request that it goes into."""

    engine: PricingEngine
    body: bytes
    onnx: bool = False
    options: dict[str, Any] | None = None

    def __call__(self, deadline: Deadline) -> Answer:
        """Make it. Raises whatever `PricingEngine.price` does, and InvalidRequest."""
        if self.onnx:
            architecture = OnnxArchitecture.model_construct(format="onnx", onnx=self.body)
            request = _validated({**(self.options or {}), "architecture": architecture})
        else:
            request = parse_request(self.body)
        return Answer(answer_record(request, self.body, self.engine.price(request, deadline)), request.store)


def answer_record(
    request: PredictionRequest, body: bytes, priced: Mapping[str, Any], extra: Mapping[str, Any] = {}
) -> PredictionRecord:
    """The answer to a request, with its id, ready to be sent and kept; ``extra`` fields come last in it.

    Of the request's architecture only form, size and hash are kept.
    """
    summary = {name: getattr(request, name) for name in _KEPT if getattr(request, name) != _KEPT[name]}
    summary["architecture"] = {
        "format": request.architecture.format, "body_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest() if request.store else None,
    }  # fmt: skip
    record_id = new_id()
    return PredictionRecord(record_id, datetime.now(UTC), summary, orjson.dumps({"id": record_id, **priced, **extra}))


#: What is kept of a request where it is not the default.
_KEPT = {
    name: field.default
    for name, field in PredictionRequest.model_fields.items()
    if name not in ("architecture", "store")
}


def _validated(fields: dict[str, Any]) -> PredictionRequest:
    try:
        return PredictionRequest.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from None
