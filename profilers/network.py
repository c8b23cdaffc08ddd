"""Measuring one network: its kernels inside it, the whole of it, or both in one session."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphs.dtypes import nbytes
from graphs.hashing import graph_hash
from graphs.ir import Graph
from graphs.onnx_writer import write_onnx
from lookup_tables.records import Measurement
from profilers import protocol
from profilers.bench import Attempt, Bench
from profilers.energy import metered
from profilers.inputs import random_inputs
from profilers.matching import Executed, executed_kernels
from profilers.meters.windows import MIN_SECONDS
from profilers.runtimes.base import Loading, Session
from profilers.timing import Timing, settle, time_blocks, trimmed_mean, without_collections


def measure_network(
    bench: Bench, graph: Graph, common: Measurement, *, kernels: bool, whole: bool, meter: bool = False
) -> list[Measurement]:
    """Time the kernels inside ``graph`` (inferred, bound), the whole of it, or both; ``meter`` the whole's energy too.

    ``common`` holds what all records share (context, split, session); the results are not corrected for drift.
    Kernels come first, in order of execution.

    Raises:
        MeasurementFailed: it cannot be loaded or run, or its profile cannot be understood.
        GraphError: the runtime's optimised graph holds what inference does not know.
    """
    common = replace(common, model=graph_hash(graph), started_at=time.time())
    records = []
    with bench.runtime.load(write_onnx(graph), Loading(bench.target.threads, profile=kernels)) as session:
        session.feed(random_inputs(graph))
        settled, seconds = settle(session.run, protocol.MODEL_SETTLE_SECONDS)
        common = replace(common, settled=settled and bench.settled)
        facts = Facts()
        if kernels:
            profiled, facts = _profile(bench, session, seconds, common)
            records += profiled
        if whole:
            attempt = bench.attempt(lambda: time_blocks(session.run, seconds, protocol.WHOLE_SECONDS, pause=bench.read))
            record = whole_record(attempt, common, facts)
            records.append(_with_energy(record, bench, session) if meter else record)
    return records


def _with_energy(record: Measurement, bench: Bench, session: Session) -> Measurement:
    """One window of energy by the bench's meter; where that fails, the latency is as good as without, and a note says
    why there is no energy.
    """
    asked = {"meter": bench.meter, "trials": 1, "seconds": MIN_SECONDS, "brief": not bench.runtime.computes_here}
    found = metered(bench.target.provider, session.run, (record.latency_us or 0.0) / 1e6, asked)
    energy = found["energy"]
    if energy is None:
        return replace(record, detail=f"no energy: {found['energy_note'] or 'no meter is to be used'}")
    return replace(
        record, energy_mj=energy["net_mj"], energy_gross_mj=energy["gross_mj"], energy_method=energy["method"],
        energy_half_width_mj=energy["net_half_width_mj"], energy_scope=energy["scope"],
        energy_run_us=1e3 * energy["run_ms"],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What a profile says about the whole model; None without one."""

    kernels: int | None = None
    peak_memory_bytes: int | None = None


def whole_record(attempt: Attempt[Timing], common: Measurement, facts: Facts) -> Measurement:
    """The record of a model timed as a whole."""
    timing = attempt.result
    return replace(
        common,
        mode="whole_model",
        error=None,
        latency_us=timing.median_us,
        p10_us=timing.p10_us,
        p90_us=timing.p90_us,
        mad_us=timing.mad_us,
        runs=timing.runs,
        blocks_us=timing.blocks_us,
        perturbation=attempt.describe(),
        sentinel_us=attempt.sentinel_us,
        kernels=facts.kernels,
        peak_memory_bytes=facts.peak_memory_bytes,
    )


def runs_to_profile(seconds_per_run: float, seconds: float = protocol.PROFILED_SECONDS) -> int:
    """As many as fit into ``seconds``, within the protocol's bounds."""
    fitting = math.ceil(seconds / max(seconds_per_run, 1e-9))
    return max(protocol.PROFILED_MIN_RUNS, min(protocol.PROFILED_MAX_RUNS, fitting))


def peak_memory(executed: Graph, activation_bytes: int | None) -> int | None:
    """Constants of the runtime's optimised graph and the peak that its allocator had handed out, in bytes."""
    if activation_bytes is None:
        return None
    used = {tensor for node in executed.nodes for tensor in node.inputs}
    constants = [p.type for name, p in executed.parameters.items() if name in used]
    return activation_bytes + sum(nbytes(kind.dtype, kind.elements) for kind in constants)


def _profile(bench: Bench, session: Session, seconds: float, common: Measurement) -> tuple[list[Measurement], Facts]:
    """Profiled runs; each attempt makes the same number, and the columns of the calmer one are kept."""
    runs = runs_to_profile(seconds)
    every = max(1, round(protocol.SENTINEL_EVERY_SECONDS / seconds))
    made = 0

    def measure() -> int:
        nonlocal made
        with without_collections():
            for index in range(runs):
                if index and index % every == 0:
                    bench.read()
                session.run()
        made += 1
        return made

    attempt = bench.attempt(measure)
    profile = session.finish_profile()
    executed = executed_kernels(session, profile)
    start = len(profile.durations_us) - runs * (made - attempt.result + 1)
    durations = profile.durations_us[start : start + runs] + protocol.PROFILER_ROUNDING_US
    common = replace(
        common, mode="in_network", runs=runs, perturbation=attempt.describe(), sentinel_us=attempt.sentinel_us
    )
    labels = trimmed_mean(durations)
    records = [
        _kernel_record(found, position, durations[:, position], float(labels[position]), common)
        for position, found in enumerate(executed)
    ]
    memory = peak_memory(session.executed_graph(), profile.activation_bytes)
    return records, Facts(len(executed), memory)


def _kernel_record(
    found: Executed, position: int, durations: NDArray[np.float64], label: float, common: Measurement
) -> Measurement:
    if found.problem is not None:
        detail = found.problem
        return replace(common, kernel=found.kernel, position=position, error="unsupported", detail=detail, runs=0)
    p10, middle, p90 = np.percentile(durations, (10, 50, 90))
    blocks = min(protocol.PROFILED_BLOCKS, len(durations))
    return replace(
        common,
        error=None,
        kernel=found.kernel,
        position=position,
        latency_us=label,
        p10_us=float(p10),
        p90_us=float(p90),
        mad_us=float(np.median(np.abs(durations - middle))),
        blocks_us=tuple(float(block.mean()) for block in np.array_split(durations, blocks)),
    )
