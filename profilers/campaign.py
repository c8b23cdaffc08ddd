"""Carrying out plans: a time budget, child processes that may die, a spool that survives, and progress."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from lookup_tables.drift import correct_all
from lookup_tables.plans import PlanItem
from lookup_tables.records import Measurement
from lookup_tables.targets import Target
from profilers.child import Child, memory_limit
from profilers.errors import MeasurementFailed
from profilers.failures import common_record, failed
from profilers.spool import Entry, Spool

#: Items whose order is random among themselves.
SEGMENT = 8
#: A budget may be exceeded by this share for the item under way, which is then given up.
TOLERANCE = 0.08
#: Nothing takes longer than this, in seconds.
ITEM_SECONDS = 120.0
#: What an item is expected to take before any was measured.
_FIRST_GUESS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """``fraction`` of the run that is over, by time or by items, whichever is further; ``seconds_left`` at most."""

    fraction: float
    seconds_left: float
    done: int
    planned: int
    failed: int
    #: The network that is measured next, empty at the end.
    current: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    item: PlanItem
    repetition: int

    @property
    def identity(self) -> tuple[str, int]:
        return self.item.key, self.repetition


def carry_out(
    plan: Iterable[PlanItem],
    target: Target,
    spool: Path,
    budget_s: float,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    reference_us: float | None = None,
    seed: int = 0,
    meter: str = "none",
) -> list[Measurement]:
    """Measure a plan's items in order of priority until they or the time run out.

    What ``spool`` holds already is not measured again, but counts against the budget and is returned. Items with
    ``repeat`` > 1 come first and once more at the end, each time in a new process. Ctrl-C ends the run early. All
    records are returned, failures included, with the drift divided out: relative to ``reference_us``, the sentinel's
    time of an earlier run on this target, or to this run's median. ``meter`` names the meter of energy for items that
    ask for one (see `profilers.meters`).

    Raises:
        InvalidSpool: the spool belongs to another target or protocol.
        MeasurementFailed: the measuring process cannot be started at all.
    """
    with Spool(spool, target.id) as store:
        run = _Run(list(plan), target, store, budget_s, on_progress or (lambda _: None), random.Random(seed), meter)
        try:
            run.all()
        except KeyboardInterrupt:
            pass
        finally:
            run.close()
        records = [record for entry in store.entries for record in entry.records]
    return correct_all(records, reference_us)


class _Run:
    """One call of `carry_out`."""

    def __init__(
        self,
        plan: Sequence[PlanItem],
        target: Target,
        store: Spool,
        budget_s: float,
        on_progress: Callable[[Progress], None],
        rng: random.Random,
        meter: str,
    ) -> None:
        self._plan = plan
        self._target = target
        self._store = store
        self._budget_s = budget_s
        self._on_progress = on_progress
        self._rng = rng
        self._meter = meter
        self._id = secrets.token_hex(4)
        self._children = 0
        self._child: Child | None = None
        self._done = {(entry.key, entry.repetition) for entry in store.entries}
        self._seconds: dict[tuple[str, str], list[float]] = {}
        self._start = time.monotonic() - sum(entry.seconds for entry in store.entries)
        self._planned = sum(item.repeat for item in plan)

    def all(self) -> None:
        """Repeated items, the others, and the repetitions, each of these in a process of its own."""
        repeated = [item for item in self._plan if item.repeat > 1]
        first = [_Task(item, 0) for item in repeated]
        again = [_Task(item, n) for item in repeated for n in range(1, item.repeat)]
        others = [_Task(item, 0) for item in self._plan if item.repeat == 1]
        self._measure_all(first, reserve=0.0)
        # The repetitions cost what the first time did, and starting processes for them.
        reserve = sum(self._estimate(task.item) for task in again if task.identity not in self._done)
        self._measure_all(others, reserve)
        for repetition in sorted({task.repetition for task in again}):
            self.close()
            self._measure_all([task for task in again if task.repetition == repetition], reserve=0.0)
        self._report("")

    def close(self) -> None:
        """End the measuring process."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _measure_all(self, tasks: Sequence[_Task], reserve: float) -> None:
        """Measure in segments of random order, until the time that is not reserved is over."""
        for task in self._shuffled([task for task in tasks if task.identity not in self._done]):
            if self._elapsed() + self._estimate(task.item) + reserve > self._budget_s:
                return
            self._report(task.item.network)
            entry = self._measure(task)
            if entry is None:
                return
            self._store.add(entry)
            self._done.add(task.identity)
            self._seconds.setdefault(self._class(task.item), []).append(entry.seconds)

    def _shuffled(self, tasks: Sequence[_Task]) -> Iterator[_Task]:
        for start in range(0, len(tasks), SEGMENT):
            segment = list(tasks[start : start + SEGMENT])
            self._rng.shuffle(segment)
            yield from segment

    def _measure(self, task: _Task) -> Entry | None:
        """The item's entry, failures included; None when the budget ended meanwhile."""
        began = time.monotonic()
        left = self._budget_s * (1 + TOLERANCE) - self._elapsed()
        child = self._ready()
        try:
            request = {"do": "item", "item": task.item.to_json(), "repetition": task.repetition}
            answer = child.ask(request, max(0.0, min(left, ITEM_SECONDS)))
            records = [Measurement.from_json(record) for record in answer["records"]]
        except MeasurementFailed as error:
            if error.kind == "timeout" and left < ITEM_SECONDS:
                self.close()
                return None
            records = [failed(common_record(task.item, task.repetition, child.session), error.kind, str(error))]
            if not child.alive:
                self.close()
        return Entry(*task.identity, time.monotonic() - began, tuple(records))

    def _ready(self) -> Child:
        """The measuring process, started if need be. A process that cannot even start ends the run."""
        if self._child is None:
            self._children += 1
            try:
                self._child = Child(self._target, f"{self._id}.{self._children}", memory_limit(), self._meter)
            except MeasurementFailed as error:
                raise MeasurementFailed(error.kind, f"measuring cannot start: {error}") from error
        return self._child

    def _class(self, item: PlanItem) -> tuple[str, str]:
        return item.family, item.mode

    def _estimate(self, item: PlanItem) -> float:
        """Seconds that an item will take: a little more than the mean of its like, or of all."""
        alike = self._seconds.get(self._class(item)) or [s for seconds in self._seconds.values() for s in seconds]
        return 1.2 * fmean(alike) if alike else _FIRST_GUESS

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _report(self, current: str) -> None:
        done = len(self._done)
        remaining = max(0, self._planned - done)
        every = [s for seconds in self._seconds.values() for s in seconds]
        by_time = max(0.0, self._budget_s - self._elapsed())
        left = min(by_time, remaining * (fmean(every) if every else _FIRST_GUESS)) if current else 0.0
        elapsed = self._elapsed()
        fraction = elapsed / (elapsed + left) if elapsed + left > 0 else 1.0
        failed = sum(record.error is not None for entry in self._store.entries for record in entry.records)
        self._on_progress(Progress(min(1.0, fraction), left, done, self._planned, failed, current))
