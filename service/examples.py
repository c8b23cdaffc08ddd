"""Examples for the API's documentation. The tests send every one of them and check what comes back."""

from __future__ import annotations

import base64
import json
from typing import Any

#: A convolution, a ReLU, a pool and a classifier; `TINY_ONNX` is the same graph.
TINY_GRAPH: dict[str, Any] = {
    "name": "tiny",
    "opset": {"": 17},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3, 32, 32]}],
    "parameters": [
        {"name": "w1", "dtype": "float32", "shape": [16, 3, 3, 3]},
        {"name": "w2", "dtype": "float32", "shape": [40, 16]},
    ],
    "nodes": [
        {"op": "Conv", "name": "conv", "inputs": ["x", "w1"], "outputs": ["c"],
         "attributes": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}},
        {"op": "Relu", "name": "relu", "inputs": ["c"], "outputs": ["r"]},
        {"op": "GlobalAveragePool", "name": "pool", "inputs": ["r"], "outputs": ["g"]},
        {"op": "Flatten", "name": "flatten", "inputs": ["g"], "outputs": ["f"], "attributes": {"axis": 1}},
        {"op": "Gemm", "name": "classifier", "inputs": ["f", "w2"], "outputs": ["y"], "attributes": {"transB": 1}},
    ],
    "outputs": ["y"],
}  # fmt: skip

#: An ONNX file, in base64, whose weights were stripped.
TINY_ONNX = (
    "CAgSADq7AgpSCgF4CgJ3MRIBYxoEY29udiIEQ29udioVCgxrZXJuZWxfc2hhcGVAA0ADoAEHKhEKBHBhZHNAAUABQAFAAaABByoQCgdzdHJpZGVz"
    "QAJAAqABBwoSCgFjEgFyGgRyZWx1IgRSZWx1Ch8KAXISAWcaBHBvb2wiEUdsb2JhbEF2ZXJhZ2VQb29sCiUKAWcSAWYaB2ZsYXR0ZW4iB0ZsYXR0"
    "ZW4qCwoEYXhpcxgBoAECCisKAWYKAncyEgF5GgpjbGFzc2lmaWVyIgRHZW1tKg0KBnRyYW5zQhgBoAECEgR0aW55Kg4IEAgDCAMIAxABQgJ3MSoK"
    "CCgIEBABQgJ3MlogCgF4EhsKGQgBEhUKBxIFYmF0Y2gKAggDCgIIIAoCCCBiGAoBeRITChEIARINCgcSBWJhdGNoCgIIKEIECgAQEQ=="
)

#: Bodies of POST /v1/predictions.
REQUESTS: dict[str, Any] = {
    "graph": {
        "summary": "A graph in the JSON form, on the target promoted last",
        "value": {"architecture": {"format": "graph", "graph": TINY_GRAPH}, "batch_size": 1},
    },
    "onnx": {
        "summary": "An ONNX file in base64, every kernel listed",
        "value": {
            "architecture": {"format": "onnx", "onnx": TINY_ONNX},
            "dims": {"batch": 8},
            "detail": "kernels",
            "confidence": 0.8,
        },
    },
    "shapes": {
        "summary": "Inputs by their whole shapes, priced as far as possible",
        "value": {
            "architecture": {"format": "graph", "graph": TINY_GRAPH},
            "input_shapes": {"x": [4, 3, 32, 32]},
            "strict": False,
        },
    },
}

#: Bodies of POST /v1/predictions/batch.
BATCHES: dict[str, dict[str, Any]] = {
    "array": {
        "sweep": {
            "summary": "A graph at three batch sizes, and an ONNX file; answers are not kept",
            "value": [
                {"architecture": {"format": "graph", "graph": TINY_GRAPH}, "batch_sizes": [1, 8, 32], "store": False},
                {"architecture": {"format": "onnx", "onnx": TINY_ONNX}, "store": False},
            ],
        },
    },
    "lines": {
        "two": {
            "summary": "Two requests",
            "value": 2 * (json.dumps({"architecture": {"format": "onnx", "onnx": TINY_ONNX}}) + "\n"),
        },
    },
}

#: Bodies of POST /v1/predictions/onnx, fetched from where they lie.
ONNX_FILES: dict[str, Any] = {
    "tiny": {"summary": "The same graph as an ONNX file", "externalValue": "/docs/examples/tiny.onnx"},
}

TARGET_ID = "example-cpu-onnxruntime-1.31.1-cpu-1t-0a1b2c3d"
TABLE_VERSION = "v0002-4e5f6a7b"
PREDICTOR_VERSION = "v0001-8c9d0e1f"
PREDICTION_ID = "0192f1c6-0d5b-7c43-9a57-5b8f2a6f0c11"

PREDICTION_RESPONSE: dict[str, Any] = {
    "id": PREDICTION_ID,
    "name": "tiny",
    "predictions": [
        {
            "target": TARGET_ID,
            "complete": True,
            "latency_ms": {"value": 0.021, "lower": 0.018, "upper": 0.026},
            "overhead_ms": 0.002,
            "throughput_per_s": 47619.0,
            "energy_mj": {"value": 0.3, "lower": 0.1, "upper": 0.9, "gross": 0.4, "method": "tdp_guess",
                          "scope": "package"},
            "peak_memory_bytes": 33024,
            "flops": 222464,
            "parameters": 1072,
            "confidence": 0.9,
            "coverage": {"table": 0.0, "regressor": 1.0, "roofline": 0.0, "unsupported": 0.0},
            "out_of_distribution": False,
            "warnings": [],
            "provenance": {"tables": [TABLE_VERSION], "predictor": PREDICTOR_VERSION,
                           "runtime": "onnxruntime 1.31.1 cpu", "protocol": 1, "origin": "own"},
        }
    ],
}  # fmt: skip

BATCH_ANSWER = json.dumps({**PREDICTION_RESPONSE, "index": 0}) + "\n"

TARGET: dict[str, Any] = {
    "id": TARGET_ID,
    "aliases": ["workstation"],
    "device": {"cpu_model": "Example CPU", "architecture": "x86_64", "isa": ["avx2"], "cores": 8},
    "runtime": "onnxruntime 1.31.1",
    "provider": "CPUExecutionProvider",
    "threads": 1,
    "emulated": False,
    "created_at": "2026-01-02T03:04:05Z",
    "predictor": PREDICTOR_VERSION,
    "tables": [TABLE_VERSION],
    "promoted_at": "2026-01-02T03:14:15Z",
    "accuracy": {"models": 40, "mape": 0.051, "within_10": 0.9, "spearman": 0.99},
    "noise_floor": 0.013,
    "coverage": {"table": 0.1, "regressor": 0.89, "roofline": 0.01},
}

LOOKUP_TABLE: dict[str, Any] = {
    "target": TARGET_ID, "version": TABLE_VERSION, "parent": "v0001-2b3c4d5e", "rows": 30412,
    "created_at": "2026-01-02T03:04:05Z",
}  # fmt: skip

PREDICTOR: dict[str, Any] = {
    "target": TARGET_ID, "version": PREDICTOR_VERSION, "tables": [TABLE_VERSION], "promoted": True,
    "created_at": "2026-01-02T03:14:05Z",
}  # fmt: skip

READY: dict[str, Any] = {
    "status": "ready", "checks": {"process": "ok", "database": "ok", "migrations": "ok", "predictor": "ok"},
}  # fmt: skip


def tiny_onnx() -> bytes:
    """The example ONNX file."""
    return base64.b64decode(TINY_ONNX)
