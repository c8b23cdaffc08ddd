"""What disturbed a measurement: lost processor time, other processes, a hypervisor that stole, a changed clock.

Nothing is rejected by what is seen here; it is recorded, and it decides which of two attempts counts.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profilers import protocol

_STAT = Path("/proc/stat")
#: Preemptions that a calm system does not reach: its timer ticks 100 to 250 times a second, mostly unnoticed.
_MANY_PER_SECOND = 250
_FREQUENCY = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Seen between two moments. Shares are of the wall-clock time of one processor; None where it cannot be read."""

    seconds: float
    #: Share of the time in which threads with nothing to wait for did not run.
    lost: float
    #: Times that the system took the processor away.
    preempted: int
    #: Time that the hypervisor gave to others.
    steal: float | None
    #: Time that other processes used, on all processors together.
    others: float | None
    #: Change of the clock, as a ratio.
    clock: float | None
    #: What slowed the device down at the end, in its own words.
    slowed: str | None = None

    def describe(self) -> str | None:
        """One line, or None when there is nothing to say."""
        parts = []
        if self.lost > protocol.PREEMPTED_TOLERANCE:
            parts.append(f"lost {self.lost:.1%} of the processor")
        if self.preempted > _MANY_PER_SECOND * self.seconds:
            parts.append(f"preempted {self.preempted} times")
        if self.steal is not None and self.steal > 0.01:
            parts.append(f"steal {self.steal:.1%}")
        if self.others is not None and self.others > 0.1:
            parts.append(f"other load {self.others:.0%}")
        if self.clock is not None and abs(self.clock - 1) > 0.05:
            parts.append(f"clock changed by {self.clock - 1:+.0%}")
        if self.slowed:
            parts.append(self.slowed)
        return "; ".join(parts) or None


class Watch:
    """Looks at the system when made and again at `seen`.

    ``threads`` are ours that compute or, between operators, wait without sleeping: they should use their processors
    all the time; none where the work is done elsewhere. ``clock_mhz`` reads the clock of what does it, if that is not
    the processor.
    """

    def __init__(self, threads: int = 1, clock_mhz: Callable[[], float | None] | None = None) -> None:
        self._threads = threads
        self._clock_mhz = clock_mhz
        self._start = self._look()

    def seen(self, slowed: str | None = None) -> Perturbation:
        """What happened since the watch was made; ``slowed`` is what a device says of itself."""
        wall0, own0, switches0, steal0, busy0, clock0 = self._start
        wall1, own1, switches1, steal1, busy1, clock1 = self._look()
        wall, own = max(wall1 - wall0, 1e-9), own1 - own0
        steal = None if steal0 is None or steal1 is None else max(0.0, steal1 - steal0) / wall
        others = None if busy0 is None or busy1 is None else max(0.0, busy1 - busy0 - own) / wall
        clock = clock1 / clock0 if clock0 and clock1 else None
        lost = max(0.0, 1.0 - own / (wall * self._threads)) if self._threads else 0.0
        return Perturbation(wall, lost, switches1 - switches0, steal, others, clock, slowed)

    def _look(self) -> tuple[float, float, int, float | None, float | None, float | None]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        steal, busy = _processor_times()
        clock = (self._clock_mhz() if self._clock_mhz is not None else None) or _clock_mhz()
        return time.perf_counter(), time.process_time(), usage.ru_nivcsw, steal, busy, clock


def _processor_times() -> tuple[float | None, float | None]:
    """(stolen, used) seconds of all processors since the system started; used includes our own."""
    try:
        fields = _STAT.read_text().split("\n", 1)[0].split()[1:]
        ticks = [int(field) for field in fields]
    except (OSError, ValueError):
        return None, None
    per_second = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _wait, interrupts, soft = (tick / per_second for tick in ticks[:7])
    steal = ticks[7] / per_second if len(ticks) > 7 else None
    return steal, user + nice + system + interrupts + soft


def _clock_mhz() -> float | None:
    try:
        return int(_FREQUENCY.read_text()) / 1000
    except (OSError, ValueError):
        return None
