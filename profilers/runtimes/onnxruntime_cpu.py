"""onnxruntime's CPU provider."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.ir import Graph
from graphs.lowering.profile import LoweringProfile
from lookup_tables.records import ErrorKind
from profilers.errors import MeasurementFailed, RuntimeNotInstalled
from profilers.runtimes._nchwc_probe import nchwc_block
from profilers.runtimes._ort_profile import DTYPES, read_profile
from profilers.runtimes.base import InputSpec, Loading, RunProfile, Runtime, Session
from profilers.scratch import make_scratch

try:
    import onnxruntime as ort
except ImportError as error:  # pragma: no cover - the tests need it
    raise RuntimeNotInstalled("onnxruntime is not installed; pip install 'archgauge[agent]'") from error

_MEMORY_WORDS = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory", "memoryerror")


class OnnxRuntimeCpu(Runtime):
    """All optimisations, sequential execution, one thread pool; a target's options are session config entries.

    Threads of a session's pool spin for some 25 ms after a run, and would slow down whatever another session does
    then. In a measuring process all sessions therefore share one pool, which a run of one model alone cannot tell
    from a pool of its own.
    """

    name = "onnxruntime"
    provider = "CPUExecutionProvider"

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.version = str(ort.__version__)
        self.shared_threads = 0

    def lowering_profile(self) -> LoweringProfile:
        from profilers.device import instruction_set

        version = ".".join(self.version.split(".")[:2])
        return LoweringProfile(self.name, version, self.provider, instruction_set(), nchwc_block(self))

    def prepare(self, threads: int) -> None:
        if threads > 1:
            ort.set_global_thread_pool_sizes(threads, 1)
            self.shared_threads = threads

    def load(self, model: bytes | Path, how: Loading) -> Session:
        return OrtSession(self, model, how)

    def session_providers(self) -> list[Any]:
        """Whom nodes are given to, as `onnxruntime.InferenceSession` takes it."""
        return [self.provider]

    def session_entries(self) -> dict[str, str]:
        """Which of the options are entries of a session's configuration."""
        return self.options


class OrtSession(Session):
    """A session whose optimised model and profile, if wanted, go to a temporary folder in memory."""

    def __init__(self, runtime: OnnxRuntimeCpu, model: bytes | Path, how: Loading) -> None:
        self._folder = make_scratch() if how.profile else None
        self._feed: dict[str, NDArray[Any]] = {}
        try:
            options = self._options(runtime, how)
            source = model if isinstance(model, bytes) else str(model)
            self._session = ort.InferenceSession(source, options, providers=runtime.session_providers())
        except Exception as error:  # the binding's exceptions have no common base but this
            self.close()
            raise failure(error, "load") from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.inputs = tuple(
            InputSpec(i.name, DTYPES.get(i.type[7:-1], i.type), tuple(i.shape)) for i in self._session.get_inputs()
        )

    def _options(self, runtime: OnnxRuntimeCpu, how: Loading) -> Any:
        options = ort.SessionOptions()
        if how.threads == runtime.shared_threads:
            options.use_per_session_threads = False
        else:
            options.intra_op_num_threads = how.threads
            options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if how.optimise else levels.ORT_DISABLE_ALL
        options.log_severity_level = 4  # what goes wrong comes as an exception
        if how.base is not None:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(how.base))
        if self._folder is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(self._folder / "profile")
            options.optimized_model_filepath = str(self._folder / "optimised.onnx")
            # Weights go to a file of their own that nobody reads: parsing the graph takes milliseconds then.
            options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
        for name, value in runtime.session_entries().items():
            options.add_session_config_entry(name, value)
        return options

    def feed(self, values: Mapping[str, NDArray[Any]]) -> None:
        self._feed = {name: np.asarray(value, order="C") for name, value in values.items()}

    def run(self) -> None:
        try:
            self._session.run(self._outputs, self._feed)
        except Exception as error:
            raise failure(error, "run") from error

    def finish_profile(self) -> RunProfile:
        if self._folder is None:
            raise ValueError("the session was loaded without a profiler")
        try:
            file = Path(self._session.end_profiling())
        except Exception as error:
            raise failure(error, "profile") from error
        try:
            return read_profile(file)
        finally:
            file.unlink()

    def executed_graph(self) -> Graph:
        if self._folder is None:
            raise ValueError("the session was loaded without a profiler")
        return self._executed_graph

    @cached_property
    def _executed_graph(self) -> Graph:
        assert self._folder is not None
        return read_optimised(self._folder / "optimised.onnx")

    def close(self) -> None:
        self._session = None
        self._feed = {}
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def read_optimised(file: Path) -> Graph:
    """The graph of a model that onnxruntime optimised and wrote, with its weights in another file."""
    from graphs.inference import infer
    from graphs.onnx_reader import read_onnx

    return infer(read_onnx(_with_masks(file)), fold=False)


def _with_masks(file: Path) -> bytes:
    """An optimised model with those of its weights that may be masks of attention scores: their numbers tell what
    kernels cost. The others stay in their own file.
    """
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

    data = file.read_bytes()
    model = onnx.ModelProto.FromString(data)
    if not any("Softmax" in node.op_type for node in model.graph.node):
        return data
    added = {name for node in model.graph.node if node.op_type in ("Add", "Where", "Sum") for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.name in added and len(tensor.dims) > 1 and uses_external_data(tensor):
            load_external_data_for_tensor(tensor, str(file.parent))
            tensor.data_location = onnx.TensorProto.DEFAULT
    whole: bytes = model.SerializeToString()
    return whole


def failure(error: Exception, during: str) -> MeasurementFailed:
    """What the library reported, as a recorded failure."""
    message = str(error).strip() or type(error).__name__
    lower = f"{type(error).__name__} {message}".lower()
    kind: ErrorKind = "oom" if any(word in lower for word in _MEMORY_WORDS) else "unsupported"
    return MeasurementFailed(kind, f"onnxruntime could not {during} the model: {message[:500]}")
