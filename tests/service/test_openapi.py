"""The API's description: valid, complete, and every example of it works."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from archgauge_client import wire
from graphs import read, write_json
from service import examples
from service.openapi import to_3_0


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = http.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, op) for path, item in document["paths"].items() for method, op in item.items()]


def real_path(http: httpx.Client, path: str) -> str:
    """The path with things that exist in place of its parameters."""
    prediction = http.post("/v1/predictions", json=examples.REQUESTS["graph"]["value"]).json()["id"]
    version = {
        "/v1/predictors/{version}": lambda: http.get("/v1/predictors").json()["predictors"][0]["version"],
        "/v1/lookup-tables/{version}": lambda: http.get("/v1/lookup-tables").json()["lookup_tables"][0]["version"],
    }.get(path, lambda: "")()
    return path.format(target="example", prediction_id=prediction, version=version)


def test_every_endpoint_is_described(document: dict[str, Any]) -> None:
    paths = {(method, path) for method, path, _ in operations(document)}
    assert paths == {
        ("post", "/v1/predictions"), ("post", "/v1/predictions/onnx"), ("get", "/v1/predictions/{prediction_id}"),
        ("get", "/v1/targets"), ("get", "/v1/targets/{target}"), ("get", "/v1/lookup-tables"),
        ("get", "/v1/lookup-tables/{version}"), ("get", "/v1/predictors"), ("get", "/v1/predictors/{version}"),
        ("get", "/healthz"), ("get", "/readyz"),
    }  # fmt: skip
    for _, path, operation in operations(document):
        assert operation["summary"] and operation["description"] and operation["operationId"] and operation["tags"], (
            path
        )
        content = operation["responses"]["200"]["content"]["application/json"]
        assert content["schema"] and content["example"], path


def test_every_example_of_a_request_is_answered_as_described(http: httpx.Client, document: dict[str, Any]) -> None:
    sent = 0
    for method, path, operation in operations(document):
        bodies: list[dict[str, Any]] = [{}]
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            bodies = []
            for example in content["examples"].values():
                data = (
                    http.get(example["externalValue"]).content
                    if "externalValue" in example
                    else json.dumps(example["value"])
                )
                bodies.append({"content": data, "headers": {"content-type": media_type}})
        for body in bodies:
            response = http.request(method, real_path(http, path), **body)
            assert response.status_code == 200, (path, response.text)
            model = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            getattr(wire, model).model_validate(response.json())
            sent += 1
    assert sent == 9 + len(examples.REQUESTS) + len(examples.ONNX_FILES)


def test_examples_of_parameters_are_accepted(http: httpx.Client, document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/predictions/onnx"]["post"]
    given = {p["name"]: p["example"] if "example" in p else p["schema"].get("example") for p in operation["parameters"]}
    assert given["dim"] and given["shape"]
    for name in ("dim", "shape"):
        response = http.post("/v1/predictions/onnx", params={name: given[name]}, content=examples.tiny_onnx())
        assert response.status_code == 200, response.text


def test_examples_of_answers_have_the_form_of_answers(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        content = operation["responses"]["200"]["content"]["application/json"]
        model = getattr(wire, content["schema"]["$ref"].rpartition("/")[2])
        answer = model.model_validate(content["example"])
        assert not answer.model_extra


def test_errors_are_described_as_problem_documents(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status != "200":
                assert list(response["content"]) == ["application/problem+json"], (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for part in text.split('"$ref": "#/components/schemas/')[1:]:
        assert part.partition('"')[0] in document["components"]["schemas"]


def test_the_document_is_of_version_3_0(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.0.3"
    schemas = json.dumps(document["components"]["schemas"])
    for newer in ('{"type": "null"}', '"const"', '"examples"', '"prefixItems"'):
        assert newer not in schemas


def test_schemas_are_rewritten_in_terms_of_3_0() -> None:
    schema = {
        "properties": {
            "const": {"const": "onnx", "type": "string"},
            "share": {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "type": "number"},
            "maybe": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "title": "Maybe"},
            "other": {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            "list": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "examples": [["a"]]},
        }
    }
    document = {"info": {"summary": "s"}, "components": {"schemas": {"A": schema}}, "paths": {}}
    assert to_3_0(document)["components"]["schemas"]["A"]["properties"] == {
        "const": {"enum": ["onnx"], "type": "string"},
        "share": {"minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True, "type": "number"},
        "maybe": {"type": "integer", "minimum": 1, "nullable": True, "title": "Maybe"},
        "other": {"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": True},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
        "list": {"type": "array", "items": {"type": "string", "nullable": True}, "example": ["a"]},
    }


def test_both_forms_of_the_example_are_the_same_graph() -> None:
    assert write_json(read(examples.tiny_onnx())) == write_json(read(examples.TINY_GRAPH))
