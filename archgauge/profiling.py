"""The way back: target → plan → measurements → table version. `archgauge.training` goes on from there."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from archgauge.errors import CommandError, Interrupted
from archgauge.executors import Executor
from archgauge.measuring import metering_seconds
from archgauge.output import Report
from lookup_tables import Measurement, TableVersion, Target, write_table
from lookup_tables.drift import reference_of
from predictors import make_plan
from predictors.energy.plan import with_metering
from profilers import Progress, carry_out, measure_peaks
from profilers.meters.metering import Metering
from service.store import Store


@dataclass
class _Interrupts:
    """Whether Ctrl-C (or a polite kill) ended the block early."""

    happened: bool = field(default=False)


def profile(
    store: Store,
    *,
    executor: Executor,
    budget_s: float,
    precisions: Sequence[str] = ("fp32",),
    alias: str | None = None,
    meter: str = "none",
    metering_share: float | None = None,
    report: Report,
) -> TableVersion:
    """Measure this machine for about ``budget_s`` seconds into the next version of its table, and register it.

    ``metering_share`` of the budget may go to metering energy, by default what `predictors.energy.plan` says.
    What was measured is in a spool under the data directory until the version is written, so that a run that was
    stopped is continued by the next one with its budget.

    Raises:
        Interrupted: Ctrl-C; the spool is kept.
        CommandError: nothing could be measured, or another run is measuring for the same store.
    """
    target = executor.target()
    folder = store.root.parent / "spool"
    with exclusive(folder / f"{target.id}.lock"):
        store.register_target(target, alias)
        return _profile(store, target, folder, budget_s, precisions, alias, meter, metering_share, report)


def _profile(
    store: Store,
    target: Target,
    folder: Path,
    budget_s: float,
    precisions: Sequence[str],
    alias: str | None,
    meter: str,
    metering_share: float | None,
    report: Report,
) -> TableVersion:
    began = time.monotonic()
    older = store.tables(target.id)
    parent = store.table_version(older[0]) if older else None
    spool = folder / f"{target.id}-{len(older) + 1:04d}.ndjson"
    known = older[0].manifest["report"] if older else {}
    report(0.0, "peak rates of the processor")
    peaks = known.get("peaks") or _peaks(target)
    plan = make_plan(len(older), budget_s, precisions, created_for=target.id)
    brief = Metering(1, brief=bool(target.device.accelerators))
    metering_s = metering_seconds(meter, target.provider, brief)
    if metering_s is not None:
        plan = with_metering(plan, budget_s, metering_s, metering_share)
    left_s = max(1.0, budget_s - (time.monotonic() - began))
    reference_us = known.get("sentinel_us")
    with _interrupts() as interrupts:
        measurements = carry_out(
            plan,
            target,
            spool,
            left_s,
            lambda p: _pass_on(p, report),
            reference_us=reference_us,
            seed=plan.seed,
            meter=meter,
        )
    if interrupts.happened:
        raise Interrupted(f"stopped; {len(measurements):,} measurements are kept: the same command goes on from there")
    _check(measurements)
    facts = {
        "budget_s": budget_s, "plan": {"id": plan.id, "seed": plan.seed, "precisions": list(precisions)},
        "peaks": peaks, "sentinel_us": reference_us or reference_of(measurements),
    }  # fmt: skip
    table = write_table(store.root, target, measurements, parent, facts)
    store.register_table(table, alias)
    spool.unlink()
    return table


def _peaks(target: Target) -> dict[str, Any] | None:
    """None for the fake runtime, which multiplies nothing."""
    if target.runtime == "fake":
        return None
    return measure_peaks(target.threads, target.runtime, target.provider, dict(target.options)).to_json()


def _pass_on(progress: Progress, report: Report) -> None:
    failed = f", {progress.failed} failed" if progress.failed else ""
    report(progress.fraction, f"{progress.done} networks{failed}  {progress.current}")


def _check(measurements: Sequence[Measurement]) -> None:
    if not any(m.ok for m in measurements):
        why = next((m.detail for m in measurements if m.detail), "there was no time for a single network")
        raise CommandError(f"nothing could be measured: {why}")


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Hold a lock that ends with the process; raises CommandError where another process has it.

    Two runs would disturb each other's measurements and share a spool.
    """
    try:
        import fcntl
    except ImportError:  # Windows: users have to take care themselves
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError("another `archgauge profile` is measuring this machine; wait for it") from error
        yield


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    """Note Ctrl-C, which `carry_out` answers by returning what it has, and treat a polite kill alike."""
    seen = _Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield seen  # signals are the main thread's business
        return

    def handle(_signal: int, _frame: FrameType | None) -> Any:
        seen.happened = True
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
