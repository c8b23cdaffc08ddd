"""Predictions over HTTP, against a real service with a real predictor."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest
from onnx import TensorProto, helper

from archgauge_client import AsyncClient, Client, InvalidRequest, NotFound
from archgauge_client.wire import PredictionResponse
from service import examples

Check = Callable[..., dict[str, Any]]
NINE = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
REQUEST = examples.REQUESTS["graph"]["value"]


def graph(**changes: Any) -> dict[str, Any]:
    return {**examples.TINY_GRAPH, **changes}


def request(**changes: Any) -> dict[str, Any]:
    return {"architecture": {"format": "graph", "graph": examples.TINY_GRAPH}, **changes}


def test_an_answer_has_the_form_of_the_contract(http: httpx.Client) -> None:
    response = http.post("/v1/predictions", json=request())
    assert response.status_code == 200, response.text
    answer = PredictionResponse.model_validate(response.json())
    (prediction,) = answer.predictions
    assert answer.name == "tiny"
    assert prediction.complete and prediction.confidence == 0.9
    assert prediction.latency_ms.lower is not None and prediction.latency_ms.upper is not None
    assert 0 < prediction.latency_ms.lower <= prediction.latency_ms.value <= prediction.latency_ms.upper
    assert prediction.parameters == 16 * 27 + 640
    assert prediction.kernels is None
    assert prediction.provenance.predictor.startswith("v0001-")
    shares = prediction.coverage
    assert shares.table + shares.regressor + shares.roofline == pytest.approx(1.0)


def test_kernels_and_overhead_sum_to_the_latency(http: httpx.Client) -> None:
    body = request(detail="kernels")
    (prediction,) = PredictionResponse.model_validate(http.post("/v1/predictions", json=body).json()).predictions
    assert prediction.kernels
    total = sum(kernel.latency_ms or 0.0 for kernel in prediction.kernels) + prediction.overhead_ms
    assert total == pytest.approx(prediction.latency_ms.value, rel=1e-6)


@pytest.mark.parametrize("file", NINE, ids=lambda file: file.stem)
def test_real_networks_as_they_are(http: httpx.Client, file: Path) -> None:
    response = http.post("/v1/predictions/onnx", content=file.read_bytes(), params={"strict": False})
    assert response.status_code == 200, response.text
    assert response.json()["predictions"][0]["latency_ms"]["value"] > 0


def test_onnx_and_json_of_the_same_graph_cost_the_same(http: httpx.Client) -> None:
    encoded = {"architecture": {"format": "onnx", "onnx": examples.TINY_ONNX}}
    answers = [
        http.post("/v1/predictions", json=request()),
        http.post("/v1/predictions", json=encoded),
        http.post("/v1/predictions/onnx", content=examples.tiny_onnx()),
    ]
    assert [a.status_code for a in answers] == [200] * 3
    first, *others = [a.json()["predictions"] for a in answers]
    assert others == [first, first]


def test_query_parameters_do_what_fields_do(http: httpx.Client) -> None:
    fields = {"dims": {"batch": 4}, "detail": "kernels", "confidence": 0.8, "strict": False, "targets": ["example"]}
    by_fields = http.post("/v1/predictions", json=request(**fields)).json()
    params = {"dim": "batch=4", "detail": "kernels", "confidence": 0.8, "strict": False, "target": "example"}
    by_query = http.post("/v1/predictions/onnx", content=examples.tiny_onnx(), params=params).json()
    assert by_query["predictions"] == by_fields["predictions"]
    shape = http.post("/v1/predictions/onnx", content=examples.tiny_onnx(), params={"shape": "x=4,3,32,32"}).json()
    assert shape["predictions"][0]["flops"] == by_fields["predictions"][0]["flops"]


def test_a_larger_batch_costs_more(http: httpx.Client) -> None:
    flops = [
        http.post("/v1/predictions", json=request(batch_size=n)).json()["predictions"][0]["flops"] for n in (1, 32)
    ]
    assert flops[1] == 32 * flops[0]


def test_a_stored_prediction_is_fetched_as_it_was(http: httpx.Client) -> None:
    made = http.post("/v1/predictions", json=request(detail="kernels"))
    fetched = http.get(f"/v1/predictions/{made.json()['id']}")
    assert fetched.status_code == 200
    assert fetched.content == made.content


def test_an_id_that_nobody_gave(http: httpx.Client, check_problem: Check) -> None:
    check_problem(http.get("/v1/predictions/01890000-0000-7000-8000-000000000000"), 404, "unknown-prediction")


def test_targets_by_alias_and_id_in_the_order_asked_for(http: httpx.Client) -> None:
    target = http.get("/v1/targets/example").json()["id"]
    answer = http.post("/v1/predictions", json=request(targets=["example", target])).json()
    assert [p["target"] for p in answer["predictions"]] == [target, target]


def test_an_unknown_target_is_answered_with_the_known(http: httpx.Client, check_problem: Check) -> None:
    response = http.post("/v1/predictions", json=request(targets=["phone"]))
    problem = check_problem(response, 404, "unknown-target")
    assert "example" in problem["known"] and "phone" in problem["detail"]


def test_predictions_can_be_pinned(http: httpx.Client, check_problem: Check) -> None:
    version = http.get("/v1/predictors").json()["predictors"][0]["version"]
    for targets in ([], ["example"]):
        answer = http.post("/v1/predictions", json=request(predictor=version, targets=targets)).json()
        assert answer["predictions"][0]["provenance"]["predictor"] == version
    problem = check_problem(
        http.post("/v1/predictions", json=request(predictor="v9999-00000000")), 404, "unknown-predictor"
    )
    assert problem["known"] == [version]


def test_unknown_operators_are_named(http: httpx.Client, check_problem: Check) -> None:
    node = {"op": "Teleport", "name": "t", "inputs": ["x"], "outputs": ["y"]}
    body = {"architecture": {"format": "graph", "graph": graph(nodes=[node], parameters=[])}}
    problem = check_problem(http.post("/v1/predictions", json=body), 422, "unsupported-operator")
    assert any("Teleport" in operator for operator in problem["operators"])


def test_what_nobody_can_price_is_refused_or_left_out(http: httpx.Client, check_problem: Check) -> None:
    strings = {"name": "words", "dtype": "string", "shape": [8]}
    match = {
        "op": "RegexFullMatch",
        "name": "m",
        "inputs": ["words"],
        "outputs": ["z"],
        "attributes": {"pattern": "a+"},
    }
    odd = graph(
        opset={"": 20}, inputs=[*examples.TINY_GRAPH["inputs"], strings], nodes=[*examples.TINY_GRAPH["nodes"], match],
        outputs=["y", "z"],
    )  # fmt: skip
    body = {"architecture": {"format": "graph", "graph": odd}}
    problem = check_problem(http.post("/v1/predictions", json=body), 422, "unpriceable-kernels")
    assert problem["operators"] == ["RegexFullMatch"]
    answer = http.post("/v1/predictions", json={**body, "strict": False, "detail": "kernels"}).json()
    (prediction,) = PredictionResponse.model_validate(answer).predictions
    assert not prediction.complete
    assert prediction.latency_ms.value > 0 and prediction.latency_ms.upper is None
    assert prediction.coverage.unsupported > 0
    assert [k.latency_ms for k in prediction.kernels or () if k.source == "unsupported"] == [None]


def test_an_unbound_dimension_is_named(http: httpx.Client, check_problem: Check) -> None:
    inputs = [{"name": "x", "dtype": "float32", "shape": [1, 3, "height", 32]}]
    body = {"architecture": {"format": "graph", "graph": graph(inputs=inputs)}}
    problem = check_problem(http.post("/v1/predictions", json=body), 422, "unbound-dimension")
    assert problem["dimension"] == "height"
    assert http.post("/v1/predictions", json={**body, "dims": {"height": 32}}).status_code == 200


def test_a_missing_value_is_named(http: httpx.Client, check_problem: Check) -> None:
    shape = TensorProto(name="shape", data_type=TensorProto.INT64, dims=[2], data_location=TensorProto.EXTERNAL)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Reshape", ["x", "shape"], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [shape],
        )
    )  # fmt: skip
    response = http.post("/v1/predictions/onnx", content=model.SerializeToString())
    assert check_problem(response, 422, "missing-value")["tensor"] == "shape"


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": [{"op": "Relu", "name": "r", "inputs": ["nowhere"], "outputs": ["y"]}]},
        {"outputs": ["nowhere"]},
        {"inputs": "x"},
        {"nodes": None},
    ],
)
def test_graphs_that_contradict_themselves(http: httpx.Client, check_problem: Check, wrong: dict[str, Any]) -> None:
    body = {"architecture": {"format": "graph", "graph": graph(**wrong)}}
    check_problem(http.post("/v1/predictions", json=body), 422, "invalid-graph")


def test_a_batch_size_that_contradicts_the_graph(http: httpx.Client, check_problem: Check) -> None:
    inputs = [{"name": "x", "dtype": "float32", "shape": [2, 3, 32, 32]}]
    body = {"architecture": {"format": "graph", "graph": graph(inputs=inputs)}, "batch_size": 1}
    check_problem(http.post("/v1/predictions", json=body), 422, "invalid-graph")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08", b"{}", b"\x3a\xff\xff\xff\xff\x0f"])
def test_bodies_that_are_no_onnx(http: httpx.Client, check_problem: Check, content: bytes) -> None:
    check_problem(http.post("/v1/predictions/onnx", content=content), 422, "invalid-graph")


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"surprise": 1}, "surprise"),
        ({"confidence": 2}, "confidence"),
        ({"architecture": {"format": "onnx", "onnx": "#"}}, "architecture.onnx"),
        ({"architecture": {"format": "onnx"}}, "architecture.onnx"),
        ({"architecture": {"format": "pickle"}}, "architecture"),
        ({"targets": "example"}, "targets"),
        ({"input_shapes": {"x": [1, "a"]}}, "input_shapes.x.1"),
    ],
)
def test_wrong_fields_are_located(
    http: httpx.Client, check_problem: Check, change: dict[str, Any], location: str
) -> None:
    problem = check_problem(http.post("/v1/predictions", json=request(**change)), 422, "invalid-request")
    assert [error["location"] for error in problem["errors"]] == [location]


@pytest.mark.parametrize(
    ("params", "location"),
    [
        ({"confidence": "high"}, "query.confidence"),
        ({"dim": "128"}, "query.dim"),
        ({"dim": "s=1,2"}, "query.dim"),
        ({"shape": "x=1,-3"}, "query.shape"),
        ({"shape": "x=1,a"}, "query.shape"),
        ({"batch_size": 0}, "query.batch_size"),
    ],
)
def test_wrong_parameters_are_located(
    http: httpx.Client, check_problem: Check, params: dict[str, Any], location: str
) -> None:
    response = http.post("/v1/predictions/onnx", params=params, content=examples.tiny_onnx())
    problem = check_problem(response, 422, "invalid-request")
    assert [error["location"] for error in problem["errors"]] == [location]


def test_the_client_against_the_service(base_url: str, tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(base64.b64decode(examples.TINY_ONNX))
    with Client(base_url) as client:
        assert client.health().status == "ready"
        (target,) = client.targets()
        answer = client.predict(file, targets=target.id, batch_size=2, detail="kernels")
        assert answer.predictions[0].target == target.id
        assert client.prediction(answer.id) == answer
        assert client.predict(examples.TINY_GRAPH).predictions[0].flops * 2 == answer.predictions[0].flops
        with pytest.raises(NotFound) as unknown:
            client.predict(file, targets="phone")
        assert unknown.value.problem.known == ["example", target.id]
        with pytest.raises(InvalidRequest, match="contradicts"):
            client.predict(graph(outputs=["nowhere"]))


def test_the_asynchronous_client_against_the_service(base_url: str) -> None:
    async def run() -> list[PredictionResponse]:
        async with AsyncClient(base_url) as client:
            return await asyncio.gather(*(client.predict(examples.TINY_GRAPH, batch_size=n) for n in range(1, 9)))

    answers = asyncio.run(run())
    flops = [answer.predictions[0].flops for answer in answers]
    assert flops == [n * flops[0] for n in range(1, 9)]
    assert len({answer.id for answer in answers}) == 8
