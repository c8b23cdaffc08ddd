"""Measuring kernels alone: hot in cache, without the cost of the call around them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from graphs.errors import GraphError
from graphs.ir import Graph, Node, TensorType
from graphs.kernel_graph import kernel_graph
from graphs.kernels import Kernel
from graphs.lowering.copies import COPIES
from graphs.masking import SLOWING
from graphs.onnx_writer import write_onnx
from lookup_tables.records import Measurement
from profilers import protocol
from profilers.bench import Attempt, Bench
from profilers.errors import MeasurementFailed
from profilers.inputs import random_inputs
from profilers.runtimes.base import Loading, Session
from profilers.timing import Timing, settle, time_blocks

T = TypeVar("T")


def measure_alone(bench: Bench, kernels: Iterable[Kernel], common: Measurement) -> list[Measurement]:
    """One record per distinct kernel, failures included; none of kernels that are slow at data which only a network
    makes (`graphs.masking.SLOWING`), nor of copies to and from a device, which no model asks for.
    """
    kernels = [kernel for kernel in kernels if not any(map(kernel.attribute, SLOWING)) and kernel.kind not in COPIES]
    common = replace(common, mode="isolated")
    empty = _empty_call_us(bench)
    records = []
    for kernel in {kernel.key: kernel for kernel in kernels}.values():
        started = replace(common, kernel=kernel, started_at=time.time())
        try:
            records.append(_measure(bench, kernel, empty, started))
        except MeasurementFailed as error:
            records.append(replace(started, error=error.kind, detail=str(error)))
        except GraphError as error:
            records.append(replace(started, error="unsupported", detail=str(error)))
    return records


def copies(graph: Graph, count: int) -> Graph:
    """``graph``, which has one node, with that node ``count`` times, side by side on the same inputs.

    Not one after the other: what an activation does to its own output again and again ends in denormal numbers, which
    take ten times as long. Only the last copy's outputs leave the graph; those of the others share one buffer.
    """
    [node] = graph.nodes
    result = graph.copy()
    result.nodes = []
    for i in range(count - 1):
        copy = node.copy()
        copy.name = f"copy_{i}"
        copy.outputs = [f"{output}_{i}" if output else "" for output in node.outputs]
        result.types.update({f"{o}_{i}": graph.types[o] for o in node.outputs if o})
        result.nodes.append(copy)
    result.nodes.append(node)
    return result


def _measure(bench: Bench, kernel: Kernel, empty_us: float, common: Measurement) -> Measurement:
    graph = kernel_graph(kernel)
    with _loaded(bench, graph, 1) as session:
        settled, seconds = settle(session.resident, protocol.ISOLATED_SETTLE_SECONDS)
        common = replace(common, settled=settled and bench.settled)
        if seconds * 1e6 > protocol.SLOPE_BELOW_US:
            attempt = bench.attempt(lambda: time_blocks(session.resident, seconds, protocol.ISOLATED_SECONDS))
            return _record(attempt.result, empty_us, 1, _noted(common, attempt))
    count = max(2, min(protocol.COPIES_MAX, round(protocol.COPIES_US / max(seconds * 1e6 - empty_us, 1.0))))
    with _loaded(bench, graph, count) as short, _loaded(bench, graph, 2 * count) as long:
        limit = protocol.ISOLATED_SETTLE_SECONDS
        one, two = settle(short.resident, limit)[1], settle(long.resident, limit)[1]

        def measure() -> tuple[Timing, Timing]:
            return (
                time_blocks(short.resident, one, protocol.ISOLATED_SECONDS),
                time_blocks(long.resident, two, protocol.ISOLATED_SECONDS),
            )

        slope = bench.attempt(measure)
        base, timing = slope.result
        return _record(timing, base.median_us, count, _noted(common, slope))


def _noted(common: Measurement, attempt: Attempt[T]) -> Measurement:
    return replace(common, perturbation=attempt.describe(), sentinel_us=attempt.sentinel_us)


def _record(timing: Timing, base_us: float, count: int, common: Measurement) -> Measurement:
    """Block times less ``base_us``, shared among ``count`` kernels; the clock's noise can make tiny ones vanish."""

    def each(us: float) -> float:
        return max((us - base_us) / count, 1e-3)

    return replace(
        common,
        error=None,
        latency_us=each(timing.median_us),
        p10_us=each(timing.p10_us),
        p90_us=each(timing.p90_us),
        mad_us=timing.mad_us / count,
        runs=timing.runs * count,
        blocks_us=tuple(each(block) for block in timing.blocks_us),
    )


@contextmanager
def _loaded(bench: Bench, graph: Graph, count: int) -> Iterator[Session]:
    """With weights written out: they are constants to a runtime whose optimisations are off only so."""
    many = copies(graph, count)
    how = Loading(bench.target.threads, optimise=False)
    with bench.runtime.load(write_onnx(many, initializers=True), how) as session:
        session.feed(random_inputs(many))
        session.run()
        yield session


def _empty_call_us(bench: Bench) -> float:
    """Time of a call that does next to nothing: one reshape of one number, which is no work."""
    one = TensorType("float32", (1,))
    graph = Graph(
        "empty", inputs=["x"], outputs=["y"], nodes=[Node("Identity", ["x"], ["y"])], types={"x": one, "y": one}
    )
    with _loaded(bench, graph, 1) as session:
        seconds = settle(session.resident, protocol.ISOLATED_SETTLE_SECONDS)[1]
        return time_blocks(session.resident, seconds, protocol.ISOLATED_SECONDS).median_us
