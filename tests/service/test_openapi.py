"""The API's description: valid, complete, and every example of it works."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import archgauge_client
from graphs import read, write_json
from service import examples, examples_agents, examples_spaces
from service.campaigns.planning import tasks_of
from service.db import Campaigns, Tasks
from service.keys import create_key
from service.openapi import to_3_0
from service.server import in_background
from service.settings import Settings
from service.store import Store


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, fill: Callable[..., Path], trained: Any) -> Iterator[httpx.Client]:
    """Somebody who may do everything, at a service where everything exists that examples can be about."""
    data_dir = fill(tmp_path_factory.mktemp("api"))
    with Store.open(data_dir) as store:
        second = store.register_predictor(trained, "example", [store.tables()[0].version])
        store.promote(second.version)
        _, token = create_key(store.database, "me", ["admin"])
        store.register_target(examples_agents.TARGET)
        with store.database.write() as session:  # enough to measure for every example
            made = Campaigns(session).add(
                examples_agents.TARGET.id, {"budget_s": 1e6, "rounds": 1, "name": "", "goal": "learn"}, "me"
            )
            Tasks(session).add(made.id, examples_agents.TARGET.id, 1, tasks_of([examples_agents.ITEM] * 40, 1, 1))
            Campaigns(session).measure(made.id, 1)
    headers = {"authorization": f"Bearer {token}"}
    settings = Settings(data_dir=data_dir, embedded_worker=False, refresh_s=0.0)
    with in_background(settings) as url, httpx.Client(base_url=url, headers=headers, timeout=30.0) as client:
        yield client


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = api.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, op) for path, item in document["paths"].items() for method, op in item.items()]


def success(operation: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    """Status, usual media type and its content of the answer when all goes well; there is one."""
    ((status, response),) = [(int(s), r) for s, r in operation["responses"].items() if int(s) < 400]
    media_type, content = next(iter(response["content"].items()))
    return status, media_type, content


def model_of(schema: dict[str, Any]) -> Any:
    """The client's model that a schema refers to."""
    name = schema["$ref"].rpartition("/")[2]
    for info in pkgutil.iter_modules(archgauge_client.__path__):
        module = importlib.import_module(f"archgauge_client.{info.name}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AssertionError(f"the client has no {name}")


def real_path(api: httpx.Client, path: str) -> str:
    """The path with things that exist in place of its parameters."""
    makers: dict[str, Callable[[], str]] = {
        "prediction_id": lambda: api.post("/v1/predictions", json=examples.REQUESTS["graph"]["value"]).json()["id"],
        "target": lambda: "example",
        "version": lambda: _version(api, path),
        "job_id": lambda: _finished_job(api),
        "space": lambda: api.post("/v1/search-spaces", json={"space": examples_spaces.SPACE}).json()["id"],
        "lease_id": lambda: _lease(api),
        "chunk": lambda: "0",
        "campaign_id": lambda: _cancelled_campaign(api),
        "key_id": lambda: api.post("/v1/keys", json={"name": "x"}).json()["id"],
    }
    for name in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{name}}}", makers[name]())
    return path


def _version(api: httpx.Client, path: str) -> str:
    kind = "lookup-tables" if "lookup-tables" in path else "predictors"
    return str(next(iter(api.get(f"/v1/{kind}").json().values()))[0]["version"])


def _lease(api: httpx.Client) -> str:
    api.post("/v1/agents", json=examples_agents.AGENT_REQUESTS["key"]["value"])
    lease = api.post("/v1/leases", json=examples_agents.LEASE_REQUESTS["now"]["value"]).json()["lease"]
    return str(lease["id"])


def _cancelled_campaign(api: httpx.Client) -> str:
    campaign_id = str(api.post("/v1/campaigns", json=examples_agents.CAMPAIGN_REQUESTS["kinds"]["value"]).json()["id"])
    api.post(f"/v1/campaigns/{campaign_id}/cancel")
    return campaign_id


def _finished_job(api: httpx.Client) -> str:
    job_id = str(api.post("/v1/predictors", json={}).json()["id"])
    api.post(f"/v1/jobs/{job_id}/cancel")
    return job_id


def bodies(api: httpx.Client, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What to send: every example of a body, or nothing."""
    if "requestBody" not in operation:
        yield {}
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        assert content["examples"], operation["operationId"]
        for example in content["examples"].values():
            if "externalValue" in example:
                data = api.get(example["externalValue"]).content
            else:
                value = example["value"]
                data = (value if isinstance(value, str) else json.dumps(value)).encode()
            yield {"content": data, "headers": {"content-type": media_type}}


def test_every_endpoint_is_described(document: dict[str, Any]) -> None:
    assert len(document["paths"]) > 15
    for _, path, operation in operations(document):
        for part in ("summary", "description", "operationId", "tags"):
            assert operation[part], (path, part)
        _, media_type, content = success(operation)
        assert content["schema"] and (content.get("example") or media_type == "text/plain"), path
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_every_example_of_a_request_is_answered_as_described(api: httpx.Client, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        status, media_type, content = success(operation)
        for body in bodies(api, operation):
            response = api.request(method, real_path(api, path), **body)
            assert response.status_code == status, (path, response.text)
            given = response.headers["content-type"].partition(";")[0]
            if given != media_type:  # another one of the answer's: in kind, as asked
                assert given == body["headers"]["content-type"] and given in operation["responses"]["200"]["content"]
            elif media_type == "application/json":
                answer = model_of(content["schema"]).model_validate(response.json())
                assert not answer.model_extra, path
            else:
                assert response.content


def test_examples_of_parameters_are_accepted(api: httpx.Client, document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/predictions/onnx"]["post"]
    given = {p["name"]: p["example"] if "example" in p else p["schema"].get("example") for p in operation["parameters"]}
    assert given["dim"] and given["shape"]
    for name in ("dim", "shape"):
        response = api.post("/v1/predictions/onnx", params={name: given[name]}, content=examples.tiny_onnx())
        assert response.status_code == 200, response.text


def test_examples_of_answers_have_the_form_of_answers(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        _, media_type, content = success(operation)
        if media_type == "application/json":
            answer = model_of(content["schema"]).model_validate(content["example"])
            assert not answer.model_extra, path


def test_errors_are_described_as_problem_documents(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
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
