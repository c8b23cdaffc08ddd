"""Examples about search spaces for the API's documentation. The tests send every one of them."""

from __future__ import annotations

from typing import Any

from lookup_tables.interchange import write_columns
from service.examples import PREDICTOR_VERSION, TARGET_ID

SPACE_ID = "6f1c0d3b7a5e4f2c9d8b7a6c5e4f3d2b"

_CONV: dict[str, Any] = {
    "inputs": [{"name": "x", "shape": ["n", "c", "h", "w"]}],
    "let": {"pad": "kernel // 2"},
    "parameters": [{"name": "weight", "dtype": "float32", "shape": ["out", "c", "kernel", "kernel"]}],
    "nodes": [
        {"op": "Conv", "inputs": ["x", "weight"], "outputs": ["y"],
         "attributes": {"pads": ["=pad", "=pad", "=pad", "=pad"], "strides": ["=stride", "=stride"]}},
        {"op": "Relu", "inputs": ["y"], "outputs": ["z"]},
        {"op": "Add", "inputs": ["z", "x"], "outputs": ["sum"], "when": "stride == 1 and c == out"},
    ],
    "outputs": ["sum"],
}  # fmt: skip
_HEAD: dict[str, Any] = {
    "inputs": [{"name": "x", "shape": ["n", "c", "h", "w"]}],
    "nodes": [{"op": "GlobalAveragePool", "inputs": ["x"], "outputs": ["y"]}],
    "outputs": ["y"],
}

#: A width, two layers with kernels to choose from, one of which may be skipped.
SPACE: dict[str, Any] = {
    "name": "small",
    "opset": {"": 17},
    "inputs": [{"name": "image", "shape": ["batch", 3, 32, 32]}],
    "blocks": {"conv": _CONV, "head": _HEAD},
    "layers": [
        {"name": "width", "values": {"width": [16, 32]}},
        {"name": "stem", "block": "conv", "with": {"out": "width", "stride": 2}, "grid": {"kernel": [3, 5]}},
        {"name": "body", "block": "conv", "with": {"out": "width", "stride": 1},
         "choices": [{"name": "3x3", "with": {"kernel": 3}}, {"name": "5x5", "with": {"kernel": 5}},
                     {"name": "skip", "skip": True}]},
        {"name": "head", "block": "head"},
    ],
}  # fmt: skip

REQUESTS: dict[str, Any] = {
    "described": {"summary": "A description of two layers", "value": {"space": SPACE, "batch_size": 1}},
    "ready": {
        "summary": "A part of a space that comes with ArchGauge",
        "value": {
            "name": "nas-bench-201",
            "restrict": {f"edge{edge}": ["nor_conv_3x3"] for edge in ("1-0", "2-0", "2-1", "3-0")},
        },
    },
}

ANSWER: dict[str, Any] = {
    "id": SPACE_ID, "name": "small", "description": "",
    "layers": [{"name": "width", "choices": ["16", "32"]}, {"name": "stem", "choices": ["kernel3", "kernel5"]},
               {"name": "body", "choices": ["3x3", "5x5", "skip"]}, {"name": "head", "choices": ["head"]}],
    "encodings": 12, "batch_size": 1, "dims": {}, "target": TARGET_ID, "predictor": PREDICTOR_VERSION,
    "status": "ready", "job": None, "architectures": 12, "mode": "chain",
    "additivity_error": {"samples": 32, "latency": {"mean": 2e-7, "max": 7e-7}, "energy": {"mean": 2e-7, "max": None},
                         "peak_memory": {"mean": 0.012, "max": 0.05}},
    "compilation": {"lowered": 6, "neighbours": "near", "blocks": 9, "neighbourhoods": 16, "states": 2},
}  # fmt: skip

LIST: dict[str, Any] = {
    "ready": ["fbnet", "nas-bench-201", "ofa-mobilenet-v3"],
    "search_spaces": [{"id": SPACE_ID, "name": "small", "created_at": "2026-01-02T03:04:05Z"}],
}

TABLE: dict[str, Any] = {
    "space": SPACE_ID, "target": TARGET_ID, "predictor": PREDICTOR_VERSION,
    "layers": [
        {"name": "width", "choices": ["16"], "latency_ms": [0.0], "energy_mj": [0.0]},
        {"name": "stem", "choices": ["kernel3", "kernel5"], "latency_ms": [0.011, 0.019], "energy_mj": [0.06, 0.1]},
        {"name": "body", "choices": ["3x3", "5x5", "skip"], "latency_ms": [0.03, 0.07, 0.0],
         "energy_mj": [0.17, 0.4, 0.0]},
        {"name": "head", "choices": ["head"], "latency_ms": [0.004], "energy_mj": [0.02]},
    ],
    "fixed_latency_ms": 0.002, "fixed_energy_mj": 0.01, "error": {"mean": 0.0002, "max": 0.001},
}  # fmt: skip

ROWS_REQUESTS: dict[str, Any] = {
    "rows": {
        "summary": "Three architectures",
        "value": {"choices": [[0, 0, 0, 0], [1, 1, 1, 0], [1, 0, 2, 0]], "confidence": 0.8},
    }
}

#: The same rows as an Arrow IPC stream, fetched from where it lies.
ROWS_STREAM: dict[str, Any] = {
    "rows": {"summary": "Three architectures, a column per layer", "externalValue": "/docs/examples/rows.arrow"},
}

ROWS_ANSWER: dict[str, Any] = {
    "space": SPACE_ID, "target": TARGET_ID, "predictor": PREDICTOR_VERSION, "confidence": 0.8,
    "latency_ms": {"value": [0.047], "lower": [0.043], "upper": [0.051]},
    "energy_mj": {"value": [0.26], "lower": [0.13], "upper": [0.52]},
    "peak_memory_bytes": [93312], "out_of_distribution": [False],
}  # fmt: skip


def rows_stream() -> bytes:
    """The rows of the example as an Arrow IPC stream."""
    rows = ROWS_REQUESTS["rows"]["value"]["choices"]
    names = [layer["name"] for layer in SPACE["layers"]]
    return write_columns(dict(zip(names, zip(*rows, strict=True), strict=True)), "arrow")
