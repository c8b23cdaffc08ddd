"""What measuring needs: a runtime, the sentinel beside it, a second attempt where the first was disturbed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Generic, TypeVar

from lookup_tables.targets import Target
from profilers import protocol
from profilers.perturbation import Perturbation, Watch
from profilers.runtimes import Runtime, make_runtime
from profilers.sentinel import Reading, Sentinel

T = TypeVar("T")

#: Readings that the sentinel's scatter is estimated from.
_MEMORY = 60
#: Changes beyond this many times the scatter are no scatter.
_CLEARLY = 3.0


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """A result and what disturbed it."""

    result: T
    perturbation: Perturbation
    #: Median reading of the sentinel before, during and after, in microseconds.
    sentinel_us: float
    #: Relative change of the sentinel between the two halves of the time, and how much of it is usual here.
    changed: float
    usual: float

    @property
    def disturbance(self) -> float:
        """How little it can be trusted: above 1 beyond the protocol's tolerances."""
        return max(self.changed / self.usual, self.perturbation.lost / protocol.PREEMPTED_TOLERANCE)

    def describe(self) -> str | None:
        """For `Measurement.perturbation`."""
        parts = [self.perturbation.describe()]
        if self.changed > self.usual:
            parts.append(f"sentinel changed by {self.changed:.1%}")
        return "; ".join(part for part in parts if part) or None


class Bench:
    """Owned by the process that measures. ``session`` goes into the records."""

    def __init__(self, target: Target, session: str, meter: str = "none") -> None:
        #: Of energy, for items that ask for it; a text as in `profilers.meters`.
        self.meter = meter
        self.target = target
        self.session = session
        self.runtime: Runtime = make_runtime(target.runtime, target.provider, dict(target.options))
        self.runtime.prepare(target.threads)
        self._sentinel = Sentinel(self.runtime, target.threads)
        self.settled = self._sentinel.warm_up()
        self._readings: list[Reading] = []
        self.read()

    def read(self) -> None:
        """Read the sentinel; what is being measured calls this now and then."""
        self._readings.append(self._sentinel.read())
        del self._readings[:-_MEMORY]

    def attempt(self, measure: Callable[[], T]) -> Attempt[T]:
        """Measure between two readings of the sentinel; again if that was disturbed. The calmer attempt counts."""
        first = self._once(measure)
        if first.disturbance <= 1:
            return first
        return min(first, self._once(measure), key=lambda attempt: attempt.disturbance)

    def close(self) -> None:
        self._sentinel.close()

    def _once(self, measure: Callable[[], T]) -> Attempt[T]:
        self.read()
        before = self._readings[-1]
        usual = self._usual_change()
        watch = Watch(self.target.threads if self.runtime.computes_here else 0, self.runtime.clock_mhz)
        result = measure()
        seen = watch.seen(self.runtime.slowed())
        self.read()
        during = [reading.us for reading in self._readings if reading.at >= before.at]
        half = len(during) // 2
        changed = abs(median(during[half:]) / median(during[:half]) - 1)
        return Attempt(result, seen, median(during), changed, usual)

    def _usual_change(self) -> float:
        """The tolerance, or what separates successive readings here even when nothing happens, if that is more."""
        changes = [abs(later.us / earlier.us - 1) for earlier, later in pairwise(self._readings)]
        return max(protocol.SENTINEL_TOLERANCE, _CLEARLY * median(changes) if len(changes) > 5 else 0.0)
