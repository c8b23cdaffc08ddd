"""What measuring needs: a runtime, the sentinel beside it, a second attempt where the first was disturbed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lookup_tables.targets import Target
from profilers import protocol
from profilers.perturbation import Perturbation, Watch
from profilers.runtimes import Runtime, make_runtime
from profilers.sentinel import Reading, Sentinel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """A result and what disturbed it. ``drifted`` is the relative change of the sentinel from before to after."""

    result: T
    perturbation: Perturbation
    drifted: float
    #: Unix time of its end.
    at: float

    @property
    def disturbance(self) -> float:
        """How untrustworthy it is: above 1 beyond the protocol's tolerances."""
        lost = self.perturbation.lost
        return max(self.drifted / protocol.SENTINEL_TOLERANCE, lost / protocol.PREEMPTED_TOLERANCE)

    def describe(self) -> str | None:
        """For `Measurement.perturbation`."""
        parts = [self.perturbation.describe()]
        if self.drifted > protocol.SENTINEL_TOLERANCE:
            parts.append(f"sentinel changed by {self.drifted:.1%}")
        return "; ".join(part for part in parts if part) or None


class Bench:
    """Owned by the process that measures. ``session`` goes into the records."""

    def __init__(self, target: Target, session: str) -> None:
        self.target = target
        self.session = session
        self.runtime: Runtime = make_runtime(target.runtime, target.provider, dict(target.options))
        self.sentinel = Sentinel(self.runtime, target.threads)
        self.settled = self.sentinel.warm_up()
        self.readings: list[Reading] = [self.sentinel.read()]

    def attempt(self, measure: Callable[[], T]) -> Attempt[T]:
        """Measure between two readings of the sentinel; again if that was disturbed. The calmer attempt counts."""
        first = self._once(measure)
        if first.disturbance <= 1:
            return first
        return min(first, self._once(measure), key=lambda attempt: attempt.disturbance)

    def take_readings(self) -> list[Reading]:
        """Readings since the last call; the latest one is kept as the next item's first."""
        taken, self.readings = self.readings, self.readings[-1:]
        return taken

    def _once(self, measure: Callable[[], T]) -> Attempt[T]:
        before = self.readings[-1].us
        watch = Watch()
        result = measure()
        seen = watch.seen()
        reading = self.sentinel.read()
        self.readings.append(reading)
        return Attempt(result, seen, abs(reading.us / before - 1), reading.at)

    def close(self) -> None:
        self.sentinel.close()
