"""A runtime that executes nothing: every kernel takes a time that follows from its key. For tests and rehearsals.

A target's options make it fail: ``{"crash": "resnet:3", "hang": "vit:1"}`` crashes when a graph of that name runs and
never returns from another. Known are ``oom``, ``refuse`` (when loading), ``crash``, ``killed`` and ``hang`` (when
running).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.inference import infer
from graphs.ir import Graph
from graphs.kernels import Kernel
from graphs.kernels_of import kernels_of
from graphs.lowering.profile import LoweringProfile
from graphs.onnx_reader import read_onnx
from lookup_tables.records import ErrorKind
from profilers.errors import MeasurementFailed
from profilers.runtimes.base import Event, InputSpec, Loading, RunProfile, Runtime, Session

_NOISE = 0.02
_LOAD_FAILURES: dict[str, ErrorKind] = {"oom": "oom", "refuse": "unsupported"}


class FakeRuntime(Runtime):
    """Deterministic but for a seeded noise of two percent."""

    name = "fake"
    version = "1.0.0"
    provider = "FakeProvider"

    def lowering_profile(self) -> LoweringProfile:
        return LoweringProfile(self.name, "1.0", self.provider, "none", 0)

    def prepare(self, threads: int) -> None:
        """There is nothing to prepare: it has no threads."""

    def load(self, model: bytes | Path, how: Loading) -> Session:
        try:
            graph = infer(read_onnx(model if isinstance(model, bytes) else model.read_bytes()))
        except (OSError, ValueError) as error:
            raise MeasurementFailed("unsupported", f"the fake runtime cannot load the model: {error}") from error
        for word, kind in _LOAD_FAILURES.items():
            if self.options.get(word) == graph.name:
                raise MeasurementFailed(kind, f"the fake runtime was told to fail with {word}")
        return _FakeSession(graph, how, self.options)


def fake_latency_us(kernel: Kernel) -> float:
    """What a kernel takes: 5 to 30 µs."""
    return 5.0 + int(kernel.key[:8], 16) / 2**32 * 25.0


class _FakeSession(Session):
    def __init__(self, graph: Graph, how: Loading, options: Mapping[str, str]) -> None:
        self._graph = graph
        self._profile = how.profile
        self._options = options
        self._latencies = [fake_latency_us(kernel) for kernel in kernels_of(graph)]
        self._rng = random.Random(graph.name)
        self._runs: list[list[float]] = []
        self._fed: set[str] = set()
        self._recording = how.profile
        self.inputs = tuple(InputSpec(name, graph.types[name].dtype, graph.types[name].shape) for name in graph.inputs)

    def feed(self, values: Mapping[str, NDArray[Any]]) -> None:
        self._fed = set(values)

    def run(self) -> None:
        self._misbehave()
        if self._fed != set(self._graph.inputs):
            raise MeasurementFailed("unsupported", f"inputs {sorted(self._fed)} given, {self._graph.inputs} wanted")
        durations = [latency * (1 + _NOISE * self._rng.random()) for latency in self._latencies]
        end = time.perf_counter() + sum(durations) / 1e6
        while time.perf_counter() < end:
            pass
        if self._recording:
            self._runs.append(durations)

    def finish_profile(self) -> RunProfile:
        if not self._recording:
            raise ValueError("the session was loaded without a profiler")
        self._recording = False
        events = tuple(
            Event(
                node.name,
                node.op,
                tuple((t.dtype, t.dims) for t in map(self._graph.types.__getitem__, filter(None, node.outputs))),
            )
            for node in self._graph.nodes
        )
        return RunProfile(events, np.floor(np.array(self._runs)), 1 << 20)

    def executed_graph(self) -> Graph:
        if not self._profile:
            raise ValueError("the session was loaded without a profiler")
        return self._graph

    def close(self) -> None:
        self._runs = []

    def _misbehave(self) -> None:
        name = self._graph.name
        if self._options.get("crash") == name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if self._options.get("killed") == name:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._options.get("hang") == name:
            time.sleep(3600)
