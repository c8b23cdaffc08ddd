"""Timing one whole model as it is given. Runs in the process that measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from graphs.errors import GraphError
from lookup_tables.drift import speed
from profilers import protocol
from profilers.bench import Bench
from profilers.energy import metered
from profilers.errors import MeasurementFailed
from profilers.inputs import random_inputs
from profilers.matching import executed_kernels
from profilers.network import peak_memory, runs_to_profile
from profilers.runnable import Binding, Runnable, make_runnable
from profilers.runtimes.base import Loading, Session
from profilers.timing import Timing, settle, time_blocks, trimmed_mean, without_collections

#: Parts that the time is divided into, with readings of the sentinel between them.
_SEGMENTS = 4


def time_model(bench: Bench, request: Mapping[str, Any]) -> dict[str, Any]:
    """Serve a ``model`` request of `profilers.worker`: ``file``, ``binding``, ``seconds``, ``reference_us``, and
    ``metering`` (see `profilers.energy`) where energy is wanted too.

    Raises:
        MeasurementFailed: it cannot be read, bound, loaded or run.
    """
    try:
        runnable = make_runnable(Path(request["file"]), Binding(**request["binding"]))
    except GraphError as error:
        raise MeasurementFailed("unsupported", str(error)) from error
    how = Loading(bench.target.threads, profile=True, base=runnable.base)
    with bench.runtime.load(runnable.source, how) as session:
        session.feed(random_inputs(runnable.graph))
        timed = _time(bench, session, runnable, float(request["seconds"]), request.get("reference_us"))
        per_run = timed["latency_us"] * timed["drift"] / 1e6
        return timed | metered(bench.target.provider, session.run, per_run, request.get("metering"))


@dataclass(frozen=True, slots=True)
class _Profiled:
    """What profiled runs say about a model; None where the profile or the optimised graph is beyond us."""

    #: (kernel kind, microseconds inside the profiled run) in order of execution.
    kernels: tuple[tuple[str, float], ...] | None = None
    peak_memory_bytes: int | None = None


def _time(
    bench: Bench, session: Session, runnable: Runnable, seconds: float, reference_us: float | None
) -> dict[str, Any]:
    # Profiled runs warm the model up and say what its kernels take; the profiler is off for what is timed.
    per_run = settle(session.run, min(protocol.MODEL_SETTLE_SECONDS, seconds))[1]
    attempt = bench.attempt(lambda: _repeat(session, runs_to_profile(per_run, min(protocol.PROFILED_SECONDS, seconds))))
    profiled, sentinel_us = _profiled(session, attempt.result), attempt.sentinel_us
    settled, per_run = settle(session.run, min(protocol.SETTLE_SECONDS, seconds / 4))
    attempts = [
        bench.attempt(lambda: time_blocks(session.run, per_run, seconds / _SEGMENTS, min_blocks=2, pause=bench.read))
        for _ in range(_SEGMENTS)
    ]
    readings = [attempt.sentinel_us for attempt in attempts]
    around_us = median([sentinel_us, *readings])
    reference_us = reference_us or around_us
    drifts = [speed(reading, around_us) / reference_us for reading in readings]
    pairs = zip(attempts, drifts, strict=True)
    blocks = [block / drift for attempt, drift in pairs for block in attempt.result.blocks_us]
    timing = Timing.of(blocks, sum(attempt.result.runs for attempt in attempts))
    worst = max(attempts, key=lambda attempt: attempt.disturbance)
    kernels, profiled_at_us = profiled.kernels, speed(sentinel_us, around_us)
    device_us = None if bench.runtime.computes_here else _device_us(bench, session, seconds, reference_us, around_us)
    return {
        "latency_us": timing.median_us,
        "p10_us": timing.p10_us,
        "p90_us": timing.p90_us,
        "mad_us": timing.mad_us,
        "runs": timing.runs,
        "blocks_us": [block for attempt in attempts for block in attempt.result.blocks_us],
        "drift": median(drifts),
        "sentinel_us": median(readings),
        "settled": settled and bench.settled,
        "perturbation": worst.describe(),
        "disturbance": worst.disturbance,
        "peak_memory_bytes": profiled.peak_memory_bytes,
        "kernels": None if kernels is None else [(k, us * reference_us / profiled_at_us) for k, us in kernels],
        "stand_in_weights": runnable.stand_in,
        "device_us": device_us,
    }


def _device_us(bench: Bench, session: Session, seconds: float, reference_us: float, around_us: float) -> float:
    """A run with inputs and outputs on the device, drift divided out."""
    per_run = settle(session.resident, min(protocol.MODEL_SETTLE_SECONDS, seconds))[1]
    attempt = bench.attempt(lambda: time_blocks(session.resident, per_run, seconds / _SEGMENTS, min_blocks=2))
    return attempt.result.median_us * reference_us / speed(attempt.sentinel_us, around_us)


def _repeat(session: Session, runs: int) -> int:
    with without_collections():
        for _ in range(runs):
            session.run()
    return runs


def _profiled(session: Session, runs: int) -> _Profiled:
    """From the last ``runs`` runs. Nothing where the runtime's graph is not understood: timing needs none of it."""
    try:
        profile = session.finish_profile()
        executed = executed_kernels(session, profile)
        labels = trimmed_mean(profile.durations_us[-runs:] + protocol.PROFILER_ROUNDING_US)
        kinds = [(found.kernel.kind, float(label)) for found, label in zip(executed, labels, strict=True)]
        return _Profiled(tuple(kinds), peak_memory(session.executed_graph(), profile.activation_bytes))
    except (MeasurementFailed, GraphError):
        return _Profiled()
