"""Damaged bodies: whatever is broken in them, they are answered or refused, never with a defect of the service."""

from __future__ import annotations

import base64
import json
import os
import random
from typing import Any

import httpx
import pytest

from graphs import write_json, write_onnx
from graphs.spaces import sample
from service import examples

#: More than that are tried with ARCHGAUGE_MUTATIONS=10000.
NUMBER = int(os.environ.get("ARCHGAUGE_MUTATIONS", "300"))

#: What may stand in the place of anything.
ODD: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 1e308, -0.0, "", "\0", "é", "x", [], {}, [[]], [None], {"": 0},
    "Infinity", "Conv", ["w1"], [1] * 40, "9" * 400,
]  # fmt: skip


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped, left out, doubled, overwritten or cut off."""
    array = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(array) or 1)
        size = rng.choice([1, 1, 2, 8, 64])
        kind = rng.randrange(5)
        if kind == 0 and array:
            array[at % len(array)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del array[at : at + size]
        elif kind == 2:
            array[at:at] = array[at : at + size]
        elif kind == 3:
            array[at : at + size] = rng.randbytes(size)
        elif rng.random() < 0.1:
            del array[at:]
    return bytes(array)


def mutated_data(rng: random.Random, data: Any) -> Any:
    """The same JSON data with something odd somewhere in it."""
    if isinstance(data, dict) and data and rng.random() < 0.9:
        key = rng.choice(list(data))
        if rng.random() < 0.1:
            return {name: value for name, value in data.items() if name != key}
        return {**data, key: mutated_data(rng, data[key])}
    if isinstance(data, list) and data and rng.random() < 0.9:
        at = rng.randrange(len(data))
        if rng.random() < 0.1:
            return [*data[:at], *data[at + 1 :]]
        return [*data[:at], mutated_data(rng, data[at]), *data[at + 1 :]]
    return rng.choice(ODD)


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
    for _ in range(NUMBER // 2):
        onnx = base64.b64encode(mutated_bytes(rng, data)).decode()
        request = {"architecture": {"format": "onnx", "onnx": onnx}, "strict": rng.random() < 0.5, "store": False}
        lines.append(json.dumps(request).encode())
    check(lines, answers(http, lines))
