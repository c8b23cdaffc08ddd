"""Damaged bodies: whatever is broken in them, they are answered or refused, never with a defect of the service."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import httpx
import pytest

from benchmarks.robustness.mutations import mutated_bytes, mutated_data, mutated_model
from graphs import write_json, write_onnx
from graphs.spaces import sample
from service import examples

#: Of a sort; `python -m benchmarks.robustness mutated` sends more, and to all endpoints.
NUMBER = 300


def answers(http: httpx.Client, lines: list[bytes]) -> list[dict[str, Any]]:
    response = http.post("/v1/predictions/batch", content=b"\n".join(lines), timeout=120.0)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def check(lines: list[bytes], found: list[dict[str, Any]]) -> None:
    assert [one["index"] for one in found] == list(range(len(lines)))
    for one in found:
        if "predictions" not in one:
            assert 400 <= one["status"] < 500, (one, lines[one["index"]])
    assert any("predictions" not in one for one in found)


@pytest.mark.parametrize("name", ["tiny", "mbconv", "bert"])
def test_mutated_graphs(http: httpx.Client, name: str) -> None:
    rng = random.Random(name)
    graph = examples.TINY_GRAPH if name == "tiny" else write_json(sample(name, 3))
    request = {"architecture": {"format": "graph", "graph": graph}, "dims": {}, "store": False}
    lines = [json.dumps(mutated_data(rng, request)).encode() for _ in range(NUMBER // 3)]
    check(lines, answers(http, lines))


def test_mutated_texts(http: httpx.Client) -> None:
    rng = random.Random(5)
    text = json.dumps({**examples.REQUESTS["graph"]["value"], "store": False}).encode()
    lines = [mutated_bytes(rng, text).replace(b"\n", b" ").strip() or b"0" for _ in range(NUMBER)]
    check(lines, answers(http, lines))


@pytest.mark.parametrize("name", ["tiny", "mbconv"])
def test_mutated_onnx_files(http: httpx.Client, name: str) -> None:
    rng = random.Random(name)
    data = examples.tiny_onnx() if name == "tiny" else write_onnx(sample(name, 3))
    lines = []
    for number in range(NUMBER):
        damage = mutated_model if number % 2 else mutated_bytes
        onnx = base64.b64encode(damage(rng, data)).decode()
        request = {"architecture": {"format": "onnx", "onnx": onnx}, "strict": rng.random() < 0.5, "store": False}
        lines.append(json.dumps(request).encode())
    check(lines, answers(http, lines))
