"""onnxruntime's CUDA provider (the distribution onnxruntime-gpu).

A node's event in the runtime's profile ends when its kernels are launched, not when they are done. What a node adds to
a run is the longer of what launching takes the processor and what the kernels take the device. The second is in
the profile where the library was built with CUPTI; where it was not, the model is profiled once more in a process in
which every launch waits for its kernels (see `_waiting`). Copies of inputs and outputs are events like others: a run
begins and ends in host memory (see `graphs.lowering.copies`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph
from graphs.lowering.copies import FROM_HOST, TO_HOST, is_outer
from graphs.lowering.devices import placed
from graphs.lowering.profile import LoweringProfile
from graphs.onnx_writer import write_onnx
from profilers import protocol
from profilers.errors import MeasurementFailed, MeterUnavailable, RuntimeNotInstalled
from profilers.inputs import random_inputs
from profilers.nvml import Device, visible_gpu, warm_clocks
from profilers.runtimes._waiting import CHAIN, WaitingProcess, chain
from profilers.runtimes.base import Event, Loading, RunProfile, Session
from profilers.runtimes.onnxruntime_cpu import OnnxRuntimeCpu, OrtSession, failure
from profilers.timing import settle, time_blocks

try:
    import onnxruntime as ort
except ImportError as error:  # pragma: no cover - the tests need it
    raise RuntimeNotInstalled("onnxruntime is not installed; pip install onnxruntime-gpu") from error

#: What differs from the provider's own defaults: trying every algorithm of every convolution takes up to a second each.
DEFAULTS = {"cudnn_conv_algo_search": "HEURISTIC"}

#: Options with this beginning are entries of a session's configuration; the others are the provider's.
_SESSION = ("session.", "ep.", "optimization.")

#: Copies of each tensor that are timed.
_COPIES_TIMED = 8


class OnnxRuntimeCuda(OnnxRuntimeCpu):
    """One GPU, number ``device_id`` of the options (0). ``use_tf32`` = 0 computes float32 in full precision; it is 1
    unless told otherwise, as in the provider. ``prefer_nhwc`` is refused, since its layout is not modelled.
    """

    provider = "CUDAExecutionProvider"
    computes_here = False
    sentinel_batch = 64

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        if self.provider not in ort.get_available_providers():
            raise RuntimeNotInstalled(
                "this onnxruntime has no CUDA provider; pip uninstall onnxruntime, then pip install onnxruntime-gpu"
            )
        _find_libraries()
        if self.options.get("prefer_nhwc", "0") not in ("0", "false", "False"):
            raise MeasurementFailed("unsupported", "the layout that prefer_nhwc asks for is not modelled; leave it off")
        self.waiting: WaitingProcess | None = None

    @property
    def device_id(self) -> int:
        return int(self.options.get("device_id", "0"))

    def lowering_profile(self) -> LoweringProfile:
        return self._lowering

    @cached_property
    def _lowering(self) -> LoweringProfile:
        version = ".".join(self.version.split(".")[:2])
        capability = self._device.gpu().capability if self._device is not None else ""
        return LoweringProfile(self.name, version, self.provider, capability or "cuda", 0)

    def prepare(self, threads: int) -> None:
        """From now on models may be profiled in a process beside this one, where there is need."""
        super().prepare(threads)
        self.waiting = WaitingProcess(dict(self.options))

    def warm_up(self, run: Callable[[], object]) -> bool:
        if self._device is None:
            return super().warm_up(run)
        return warm_clocks(run, self.clock_mhz)

    def clock_mhz(self) -> float | None:
        return None if self._device is None else self._device.sm_mhz()

    def slowed(self) -> str | None:
        return None if self._device is None else self._device.slowed()

    def load(self, model: bytes | Path, how: Loading) -> Session:
        return CudaSession(self, model, how)

    def session_providers(self) -> list[Any]:
        mine = {k: v for k, v in self.options.items() if not k.startswith(_SESSION)}
        return [(self.provider, {**DEFAULTS, **mine}), "CPUExecutionProvider"]

    def session_entries(self) -> dict[str, str]:
        return {k: v for k, v in self.options.items() if k.startswith(_SESSION)}

    @cached_property
    def launch_us(self) -> float:
        """What one more kernel that does next to nothing adds to a run: the slope between two chains of them."""
        graphs, seconds = [chain(CHAIN), chain(2 * CHAIN)], []
        for graph in graphs:
            with self.load(write_onnx(graph), Loading(optimise=False)) as session:
                session.feed(random_inputs(graph))
                per_run = settle(session.resident, protocol.ISOLATED_SETTLE_SECONDS)[1]
                seconds.append(time_blocks(session.resident, per_run, protocol.ISOLATED_SECONDS).median_us / 1e6)
        return max((seconds[1] - seconds[0]) / CHAIN * 1e6, 0.0)

    @cached_property
    def _device(self) -> Device | None:
        """What tells clocks; None without NVML."""
        try:
            return Device(visible_gpu(self.device_id))
        except MeterUnavailable:
            return None


class CudaSession(OrtSession):
    """A session with copies of its inputs and room for its outputs on the device, for runs without any copying."""

    def __init__(self, runtime: OnnxRuntimeCuda, model: bytes | Path, how: Loading) -> None:
        super().__init__(runtime, model, how)
        self._runtime, self._model, self._how = runtime, model, how
        self._binding: Any = None
        self._runs = 0
        if runtime.provider not in self._session.get_providers():
            self.close()
            raise MeasurementFailed("unsupported", "the CUDA provider could not start; are its libraries there?")

    def feed(self, values: Mapping[str, NDArray[Any]]) -> None:
        super().feed(values)
        self._binding = None

    def run(self) -> None:
        super().run()
        self._runs += 1

    @property
    def resident(self) -> Callable[[], None]:
        if self._binding is None:
            self._binding = self._bound()
        session, binding = self._session, self._binding

        def run() -> None:
            try:
                session.run_with_iobinding(binding)
                binding.synchronize_outputs()
            except Exception as error:
                raise failure(error, "run") from error

        return run

    def finish_profile(self) -> RunProfile:
        profile = super().finish_profile()
        if profile.device_us is not None:
            added = np.maximum(profile.durations_us, profile.device_us)
        elif self._runtime.waiting is not None:
            waiting, runs = self._runtime.waiting, len(profile.durations_us)
            waited = waiting.profile(self._model, self._how, self._feed, runs, self._runtime.launch_us)
            added = _same_runs(waited, profile)
        else:
            added = profile.durations_us
        return self._with_copies(replace(profile, durations_us=added))

    @cached_property
    def _executed_graph(self) -> Graph:
        return placed(super()._executed_graph, self._runtime.lowering_profile(), inner=False)

    def close(self) -> None:
        self._binding = None
        super().close()

    def _bound(self) -> Any:
        """Inputs copied once; outputs in the buffers that a first run makes."""
        try:
            binding, where = self._session.io_binding(), self._runtime.device_id
            for name, value in self._feed.items():
                binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value, "cuda", where))
            for name in self._outputs:
                binding.bind_output(name, "cuda", where)
            self._session.run_with_iobinding(binding)
            made = binding.get_outputs()
            for name, value in zip(self._outputs, made, strict=True):
                binding.bind_ortvalue_output(name, value)
        except Exception as error:
            raise failure(error, "bind") from error
        return binding

    def _with_copies(self, profile: RunProfile) -> RunProfile:
        """Events of the copies that the graph begins and ends with, timed by themselves."""
        graph = self.executed_graph()
        outer = [node for node in graph.nodes if is_outer(graph, node)]
        first = [node for node in outer if node.op == FROM_HOST]
        last = [node for node in outer if node.op == TO_HOST]
        results = dict(zip(self._outputs, self._session.run(self._outputs, self._feed), strict=True))
        columns, events = [], []
        for node in (*first, *last):
            name = node.inputs[0] if node in first else node.outputs[0]
            value = self._feed[name] if node in first else results[name]
            times = self._copy_us(np.asarray(value, order="C"), to_device=node in first)
            columns.append(np.resize(times, len(profile.durations_us)))
            kind = graph.types[name]
            events.append(Event(node.name, node.op, ((kind.dtype, kind.dims),)))
        before, after = np.array(columns[: len(first)]), np.array(columns[len(first) :])
        parts = [part.T for part in (before, profile.durations_us.T, after) if len(part)]
        ordered = (*events[: len(first)], *profile.events, *events[len(first) :])
        return RunProfile(ordered, np.concatenate(parts, axis=1), profile.activation_bytes)

    def _copy_us(self, value: NDArray[Any], *, to_device: bool) -> NDArray[np.float64]:
        """Microseconds of copying a tensor, several times."""
        try:
            there, times = ort.OrtValue.ortvalue_from_numpy(value, "cuda", self._runtime.device_id), []
            for _ in range(_COPIES_TIMED):
                begun = time.perf_counter()
                there.update_inplace(value) if to_device else there.numpy()
                times.append((time.perf_counter() - begun) * 1e6)
        except Exception as error:
            raise failure(error, "copy inputs and outputs of") from error
        return np.array(times, dtype=np.float64)


@cache
def _find_libraries() -> None:
    """CUDA and cuDNN may lie beside the library, in packages of their own, where only it knows to look."""
    if getattr(ort, "cuda_version", None) and hasattr(ort, "preload_dlls"):
        with redirect_stdout(sys.stderr):  # it prints what it does not find, and others may be anywhere
            ort.preload_dlls()


def _same_runs(waited: RunProfile, profile: RunProfile) -> NDArray[np.float64]:
    """The durations of another process's profile, for the runs of this one."""
    if [e.op for e in waited.events] != [e.op for e in profile.events]:
        raise MeasurementFailed("unsupported", "the runtime made other kernels of the model when it was loaded again")
    rows = np.arange(len(profile.durations_us)) % len(waited.durations_us)
    return waited.durations_us[rows]
