"""Profiling a model in a process in which the processor waits for every kernel that it launches.

The CUDA driver looks at ``CUDA_LAUNCH_BLOCKING`` when it starts, so that a process waits always or never. A node's
event in the profile then holds what its kernels took, and what waiting costs. The second is the difference between a
kernel that does next to nothing here and what one more of the same adds to a run without waiting; it is taken off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph, Node, TensorType
from profilers.errors import MeasurementFailed
from profilers.runtimes.base import Loading, RunProfile

#: A model that was not profiled after so long is given up.
_LIMIT_S = 120.0
#: Runs that are profiled at most, after so many that warm up.
_RUNS, _WARM = 20, 3
#: A kernel keeps at least this share of what was measured.
_KEPT = 0.15
#: Kernels in the chain that tells what waiting costs.
CHAIN = 64


class WaitingProcess:
    """Started when it is first asked, and again after a crash. ``options`` are those of the runtime."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)
        self._pool: ProcessPoolExecutor | None = None
        self._waited_us: float | None = None

    def profile(
        self, model: bytes | Path, how: Loading, feed: Mapping[str, NDArray[Any]], runs: int, launch_us: float
    ) -> RunProfile:
        """Up to ``runs`` runs of a model, without the runs that warm it up, and without what waiting costs.
        ``launch_us`` is what a kernel that does next to nothing adds where nobody waits.

        Raises MeasurementFailed, also where the process died or hangs.
        """
        found: RunProfile = self._ask(_profile, self._options, model, how, dict(feed), min(runs, _RUNS))
        if self._waited_us is None:
            self._waited_us = float(self._ask(_waited_us, self._options))
        times, cost_us = found.durations_us, max(self._waited_us - launch_us, 0.0)
        return replace(found, durations_us=np.maximum(times - cost_us, _KEPT * times))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _ask(self, work: Any, *arguments: Any) -> Any:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_wait_always)
        try:
            return self._pool.submit(work, *arguments).result(_LIMIT_S)
        except BrokenProcessPool as error:
            self.close()
            raise MeasurementFailed("crash", "the process that profiles with waiting died") from error
        except TimeoutError as error:
            self.close()
            raise MeasurementFailed("timeout", f"profiling with waiting took more than {_LIMIT_S:.0f} s") from error


def _wait_always() -> None:
    os.environ["CUDA_LAUNCH_BLOCKING"] = "1"


def _profile(
    options: Mapping[str, str], model: bytes | Path, how: Loading, feed: Mapping[str, NDArray[Any]], runs: int
) -> RunProfile:
    from profilers.runtimes.onnxruntime_cpu import OrtSession
    from profilers.runtimes.onnxruntime_cuda import OnnxRuntimeCuda

    with OrtSession(OnnxRuntimeCuda(options), model, how) as session:
        session.feed(feed)
        for _ in range(_WARM + runs):
            session.run()
        found = session.finish_profile()
    return replace(found, durations_us=found.durations_us[_WARM:], device_us=None)


def chain(kernels: int) -> Graph:
    """Kernels that do next to nothing, one after the other."""
    types = {f"t{i}": TensorType("float32", (1, 8)) for i in range(kernels + 1)}
    nodes = [Node("Sigmoid", [f"t{i}"], [f"t{i + 1}"], name=f"link_{i}") for i in range(kernels)]
    return Graph("chain", {"": 17}, inputs=["t0"], outputs=[f"t{kernels}"], nodes=nodes, types=types)


def _waited_us(options: Mapping[str, str]) -> float:
    """What a kernel that does next to nothing takes here: the median over a chain of them."""
    from graphs.onnx_writer import write_onnx

    graph = chain(CHAIN)
    feed = {"t0": np.ones((1, 8), np.float32)}
    found = _profile(options, write_onnx(graph), Loading(profile=True), feed, _RUNS)
    return float(np.median(found.durations_us))
