"""The sentinel: a fixed convolution whose time says how fast the machine is at the moment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from graphs.ir import Graph, Node, Parameter, TensorType
from graphs.onnx_writer import write_onnx
from profilers import protocol
from profilers.inputs import random_inputs
from profilers.runtimes.base import Loading, Runtime
from profilers.timing import time_block, without_collections


@dataclass(frozen=True, slots=True)
class Reading:
    """The sentinel's time at a moment (Unix seconds)."""

    at: float
    us: float


class Sentinel:
    """A loaded sentinel. With one thread of this decade a run takes one to two milliseconds.

    256 channels of 14 × 14, 3 × 3 filters: 116 million multiply-adds on 2.8 MB, which is more than most private caches
    hold. It slows down as whole networks do, within a percent, where a convolution that fits slows down twice as much.
    """

    def __init__(self, runtime: Runtime, threads: int) -> None:
        graph = sentinel_graph(runtime.sentinel_batch)
        self._runtime = runtime
        self._session = runtime.load(write_onnx(graph), Loading(threads))
        self._session.feed(random_inputs(graph))

    def warm_up(self) -> bool:
        """Run until it is steady; whether it became so within the protocol's time."""
        return self._runtime.warm_up(self._session.resident)

    def read(self) -> Reading:
        """Median of a few runs."""
        self._session.resident()  # brings its weights back into the caches
        with without_collections():
            times = [time_block(self._session.resident, 1) for _ in range(protocol.SENTINEL_RUNS)]
        return Reading(time.time(), median(times) * 1e6)

    def close(self) -> None:
        self._session.close()


def sentinel_graph(batch: int = 1) -> Graph:
    """One convolution, always the same."""
    x = TensorType("float32", (batch, 256, 14, 14))
    weight = TensorType("float32", (256, 256, 3, 3))
    return Graph(
        "sentinel",
        inputs=["x"],
        outputs=["y"],
        parameters={"w": Parameter(weight)},
        nodes=[Node("Conv", ["x", "w"], ["y"], {"pads": (1, 1, 1, 1)}, name="conv")],
        types={"x": x, "w": weight, "y": x},
    )
