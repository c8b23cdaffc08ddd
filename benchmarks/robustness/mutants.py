"""What is sent: every example of the API's description and some networks, damaged."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.robustness.mutations import mutated_bytes, mutated_data, mutated_model
from benchmarks.robustness.world import filled
from graphs import write_json, write_onnx
from graphs.spaces import sample
from lookup_tables.interchange import MEDIA_TYPES
from service import examples, examples_spaces

#: Synthetic networks: convolutions, attention, a decoder with caches, states, integers.
NETWORKS = ("mbconv", "swin", "bert", "decoding", "recurrent", "resnet-int8")
#: The share of streams among what is not ONNX.
_STREAMS = 0.05
_ONNX, _JSON = "application/octet-stream", "application/json"


class Mutant(NamedTuple):
    """A request that should be answered or refused, whatever is in it."""

    #: What it was before it was damaged.
    origin: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def mutants(document: Mapping[str, Any], names: dict[str, str], number: int, seed: int) -> Iterator[Mutant]:
    """So many, half of them ONNX and half JSON (with a few streams); ``names`` as `world.things` gives them."""
    rng = random.Random(seed)
    files = {"tiny": examples.tiny_onnx(), **{name: write_onnx(sample(name, 3)) for name in NETWORKS}}
    requests, streams = list(_requests(document, names)), list(_streams(names))
    for index in range(number):
        if index % 2 == 0:
            name = rng.choice(list(files))
            damage = rng.choice((mutated_bytes, mutated_model, mutated_model))
            yield _onnx(rng, f"{name}.onnx", damage(rng, files[name]))
        elif rng.random() < _STREAMS:
            stream = rng.choice(streams)
            yield stream._replace(body=mutated_bytes(rng, stream.body))
        else:
            yield _json(rng, *rng.choice(requests))


def _onnx(rng: random.Random, origin: str, data: bytes) -> Mutant:
    """As the body itself, or in base64 within JSON."""
    options = {"strict": rng.random() < 0.5, "detail": rng.choice(["summary", "kernels"]), "store": rng.random() < 0.1}
    if rng.random() < 0.7:
        query = "&".join(f"{key}={value}".lower() for key, value in options.items())
        return Mutant(origin, "POST", f"/v1/predictions/onnx?{query}", {"content-type": _ONNX}, data)
    architecture = {"format": "onnx", "onnx": base64.b64encode(data).decode()}
    body = json.dumps({"architecture": architecture, **options}).encode()
    return Mutant(origin, "POST", "/v1/predictions", {"content-type": _JSON}, body)


def _requests(document: Mapping[str, Any], names: dict[str, str]) -> Iterator[tuple[str, str, str, Any]]:
    """(origin, method, path, data of a JSON body)."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
            for name, example in content.get("examples", {}).items():
                yield f"{operation['operationId']}, {name}", method.upper(), filled(path, names), example["value"]
    for name in NETWORKS:
        request = {"architecture": {"format": "graph", "graph": write_json(sample(name, 3))}, "dims": {}}
        yield f"predict, {name}", "POST", "/v1/predictions", request
        yield f"predict_batch, {name}", "POST", "/v1/predictions/batch", [request, {**request, "batch_sizes": [1, 4]}]
    chosen = {"format": "search_space", "space": names["space"], "choices": {"stem": "kernel5", "body": 2}}
    yield "predict, choices", "POST", "/v1/predictions", {"architecture": chosen}
    part = {"space": examples_spaces.SPACE, "restrict": {"body": ["3x3", "skip"]}, "dims": {"n": 2}}
    yield "compile_search_space, restricted", "POST", "/v1/search-spaces", part


def _streams(names: dict[str, str]) -> Iterator[Mutant]:
    """Bodies that are read piece by piece: NDJSON, and rows of choices as Arrow."""
    lines = examples.BATCHES["lines"]["two"]["value"].encode()
    yield Mutant("lines", "POST", "/v1/predictions/batch", {"content-type": "application/x-ndjson"}, lines)
    path, media_type = f"/v1/search-spaces/{names['space']}/predictions", MEDIA_TYPES["arrow"]
    yield Mutant("rows.arrow", "POST", path, {"content-type": media_type}, examples_spaces.rows_stream())


def _json(rng: random.Random, origin: str, method: str, path: str, value: Any) -> Mutant:
    headers = {"content-type": _JSON}
    damages: list[Callable[[], bytes]] = [
        *[lambda: json.dumps(mutated_data(rng, value)).encode()] * 4,
        lambda: mutated_bytes(rng, json.dumps(value).encode()),
        lambda: json.dumps(value).encode() + rng.choice([b",", b"{}", b"\x00", b"\xff", b"[" * 5000]),
    ]
    body = rng.choice(damages)()
    if rng.random() < 0.1:
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, 1)
        body = body if rng.random() < 0.5 else mutated_bytes(rng, body)
    return Mutant(origin, method, path, headers, body)
