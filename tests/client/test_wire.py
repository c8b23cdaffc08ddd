"""The wire models: field names of the contract, base64, problem documents."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from archgauge_client.errors import (
    InvalidRequest,
    NoPredictor,
    NotFound,
    Overloaded,
    ProblemError,
    ServerError,
    UnpriceableArchitecture,
    from_problem,
)
from archgauge_client.wire import (
    GraphArchitecture,
    OnnxArchitecture,
    PredictionRequest,
    PredictionResponse,
    Problem,
)
from archgauge_client.wire_agents import LeaseRequest


def test_a_request_has_the_fields_of_the_contract() -> None:
    request = PredictionRequest(architecture=OnnxArchitecture(format="onnx", onnx=b"\x08\x08"))
    assert json.loads(request.model_dump_json()) == {
        "architecture": {"format": "onnx", "onnx": "CAg="},
        "name": None,
        "targets": [],
        "predictor": None,
        "batch_size": None,
        "dims": {},
        "input_shapes": {},
        "detail": "summary",
        "confidence": 0.9,
        "strict": True,
        "store": True,
    }


def test_requests_survive_the_wire() -> None:
    request = PredictionRequest(
        architecture=GraphArchitecture(format="graph", graph={"nodes": []}), targets=["laptop"], predictor="v1",
        batch_size=4, dims={"sequence": 128}, input_shapes={"x": [1, 3]}, detail="kernels", confidence=0.8,
        strict=False,
    )  # fmt: skip
    assert PredictionRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize("text", ["CAg", "CA g=", "CAg=\n", "*", "CA-_"])
def test_only_plain_base64_is_taken(text: str) -> None:
    with pytest.raises(ValidationError, match="base64"):
        OnnxArchitecture.model_validate({"format": "onnx", "onnx": text})


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"batch_size": 0},
        {"confidence": 1.0},
        {"confidence": 0.1},
        {"confidence": float("nan")},
        {"detail": "all"},
        {"dims": {"n": -1}},
        {"dims": {"n": 2**63}},
        {"input_shapes": {"x": [-1]}},
        {"targets": ["t"] * 65},
        {"architecture": {"format": "huggingface", "name": "bert"}},
        {"architecture": {"format": "graph", "onnx": "CAg="}},
    ],
)
def test_wrong_requests_are_refused(change: dict[str, object]) -> None:
    good = {"architecture": {"format": "graph", "graph": {}}}
    PredictionRequest.model_validate(good)
    with pytest.raises(ValidationError):
        PredictionRequest.model_validate(good | change)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_what_is_kept_is_json(number: str) -> None:
    assert LeaseRequest.model_validate_json('{"target": {}, "facts": {"peaks": [1e300]}}').facts
    with pytest.raises(ValidationError, match="JSON"):
        LeaseRequest.model_validate_json(f'{{"target": {{}}, "facts": {{"peaks": [{number}]}}}}')


def test_answers_keep_what_a_newer_service_adds() -> None:
    answer = PredictionResponse.model_validate({"id": "1", "name": "n", "predictions": [], "novelty": 7})
    assert answer.model_dump()["novelty"] == 7


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (404, "unknown-target", NotFound),
        (409, "no-predictor", NoPredictor),
        (413, "body-too-large", InvalidRequest),
        (422, "invalid-graph", InvalidRequest),
        (422, "unpriceable-kernels", UnpriceableArchitecture),
        (429, "rate-limit", Overloaded),
        (500, "internal-error", ServerError),
        (503, "overloaded", Overloaded),
    ],
)
def test_problems_become_exceptions(status: int, slug: str, kind: type[ProblemError]) -> None:
    problem = Problem(
        type=f"urn:archgauge:problem:{slug}", title="T", status=status, detail="d", request_id="r1", operators=["Conv"]
    )
    error = from_problem(problem)
    assert type(error) is kind
    assert str(error) == "T: d (request r1)" and error.status == status
    if isinstance(error, UnpriceableArchitecture):
        assert error.operators == ("Conv",)
