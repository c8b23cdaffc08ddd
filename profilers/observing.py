"""What a runtime really makes of a model: the oracle that lowering is checked against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from graphs.ir import Graph
from graphs.kernels import Kernel, Operand
from profilers.inputs import random_inputs
from profilers.matching import Executed, executed_kernels
from profilers.runnable import Binding, make_runnable
from profilers.runtimes import Loading, make_runtime


def observe_lowering(
    model: bytes | Path | Graph,
    threads: int = 1,
    *,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    runtime: str = "onnxruntime",
    provider: str = "CPUExecutionProvider",
) -> list[Kernel]:
    """The kernels that the installed runtime executes in one run of a model, in order of execution.

    They are read from its own optimised graph. What was executed with other shapes or types than that graph says by our
    inference is returned with those that were executed.

    Raises:
        GraphError: the model cannot be read or bound, or the optimised graph holds what inference does not know.
        MeasurementFailed: the runtime cannot load or run it.
    """
    runnable = make_runnable(model, Binding(batch_size, dims, input_shapes))
    how = Loading(threads, profile=True, base=runnable.base)
    with make_runtime(runtime, provider).load(runnable.source, how) as session:
        session.feed(random_inputs(runnable.graph))
        session.run()
        return [_as_executed(found) for found in executed_kernels(session, session.finish_profile())]


def _as_executed(found: Executed) -> Kernel:
    if found.problem is None:
        return found.kernel
    return replace(found.kernel, outputs=tuple(Operand(dtype, shape) for dtype, shape in found.event.outputs))
