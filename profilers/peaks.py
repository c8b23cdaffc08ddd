"""A device's roofline, measured through the runtime itself: what its best kernels reach, not what a data sheet says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphs.ir import Graph, Node, Parameter, TensorType
from graphs.onnx_writer import write_onnx
from profilers.runtimes import Loading, Runtime, make_runtime
from profilers.timing import settle, time_block, without_collections

_SIDE = 1024
_STREAM_BYTES = 64 * 2**20
_CACHED_BYTES = 256 * 2**10
_RUNS = 5
#: Slower calls are timed once, or a small board would take minutes.
_SLOW_SECONDS = 0.5
_SETTLE_SECONDS = 0.15
#: On devices: what is measured should take so long, but be no larger than this.
_BUSY_SECONDS = 0.002
_LARGEST_SIDE, _LARGEST_BYTES = 8192, 2**29


@dataclass(frozen=True, slots=True)
class Peaks:
    """Best rates seen with ``threads`` threads; a multiply-add is two operations, bytes are read plus written."""

    threads: int
    #: Operations per second by element type (``float32``, ``int8``); a type the runtime does not run is absent.
    flops_per_s: Mapping[str, float]
    #: From and to main memory.
    bytes_per_s: float
    #: In the private caches.
    cache_bytes_per_s: float

    def to_json(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "flops_per_s": dict(self.flops_per_s),
            "bytes_per_s": self.bytes_per_s,
            "cache_bytes_per_s": self.cache_bytes_per_s,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Peaks:
        rates = {str(name): float(rate) for name, rate in data["flops_per_s"].items()}
        return cls(int(data["threads"]), rates, float(data["bytes_per_s"]), float(data["cache_bytes_per_s"]))


def measure_peaks(
    threads: int = 1,
    runtime: str = "onnxruntime",
    provider: str = "CPUExecutionProvider",
    options: Mapping[str, str] | None = None,
) -> Peaks:
    """Measure in this process; takes about a second, a few on a device with a memory of its own.

    Raises:
        MeasurementFailed: the runtime cannot even multiply matrices.
    """
    executor = make_runtime(runtime, provider, options)
    if not executor.computes_here:
        return _device_peaks(executor, threads)
    operations = 2.0 * _SIDE**3
    return Peaks(
        threads,
        {
            "float32": operations / _best_seconds(executor, _product("MatMul", "float32", "float32"), threads),
            "int8": operations / _best_seconds(executor, _product("MatMulInteger", "uint8", "int32"), threads),
        },
        _bandwidth(executor, _STREAM_BYTES, threads),
        _bandwidth(executor, _CACHED_BYTES, threads),
    )


def _device_peaks(runtime: Runtime, threads: int) -> Peaks:
    """With matrices and tensors that keep the device busy for `_BUSY_SECONDS`, as far as they stay of a sane size."""
    rates = {}
    for dtype in ("float32", "float16"):
        side = _SIDE
        while (seconds := _best_seconds(runtime, _product("MatMul", dtype, dtype, side), threads)) < _BUSY_SECONDS:
            if side >= _LARGEST_SIDE:
                break
            side *= 2
        rates[dtype] = 2.0 * side**3 / seconds
    size = _STREAM_BYTES
    while size < _LARGEST_BYTES and _best_seconds(runtime, _passes(6, size), threads, optimise=False) < _BUSY_SECONDS:
        size *= 2
    return Peaks(threads, rates, _bandwidth(runtime, size, threads), _bandwidth(runtime, 8 * 2**20, threads))


def _bandwidth(runtime: Runtime, size: int, threads: int) -> float:
    """From the slope between chains of two and six passes, each of which reads and writes all bytes once."""
    short, long = (_best_seconds(runtime, _passes(count, size), threads, optimise=False) for count in (2, 6))
    # Four passes are about 0.6 of the longer chain; where something disturbed the shorter one, its share is taken.
    four = long - short if long - short > 0.3 * long else long * 4 / 6
    return 4 * 2 * size / four


def _best_seconds(runtime: Runtime, graph: Graph, threads: int, optimise: bool = True) -> float:
    inputs = [(name, graph.types[name]) for name in graph.inputs]
    with runtime.load(write_onnx(graph, initializers=not optimise), Loading(threads, optimise)) as session:
        session.feed({name: np.ones(kind.dims, kind.dtype) for name, kind in inputs})
        seconds = settle(session.resident, _SETTLE_SECONDS)[1]
        calls = max(1, round(0.002 / seconds))
        with without_collections():
            return min(time_block(session.resident, calls) for _ in range(_RUNS if seconds < _SLOW_SECONDS else 1))


def _product(op: str, dtype: str, result: str, side: int = _SIDE) -> Graph:
    square = TensorType(dtype, (side, side))
    weight = TensorType("int8" if dtype == "uint8" else dtype, (side, side))
    return Graph(
        op,
        inputs=["x"],
        outputs=["y"],
        parameters={"w": Parameter(weight)},
        nodes=[Node(op, ["x", "w"], ["y"], name="product")],
        types={"x": square, "w": weight, "y": TensorType(result, (side, side))},
    )


def _passes(count: int, size: int) -> Graph:
    """``count`` passes over ``size`` bytes; only one number leaves, so that no large output is allocated."""
    kind = TensorType("float32", (1, size // 4))
    types = {f"t{i}": kind for i in range(count + 1)} | {"y": TensorType("float32", (1, 1))}
    nodes = [Node("Relu", [f"t{i}"], [f"t{i + 1}"], name=f"pass_{i}") for i in range(count)]
    nodes.append(Node("ReduceMax", [f"t{count}"], ["y"], {"axes": (1,), "keepdims": 1}, name="one_number"))
    return Graph("passes", {"": 17}, inputs=["t0"], outputs=["y"], nodes=nodes, types=types)
