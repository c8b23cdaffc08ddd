"""Metering the runs of a model: idle, work, idle, work … idle, with the meter read all the time.

Idle is measured in the same state: the same process, the model loaded, its threads asleep. A span begins when the
meter no longer speaks of what was before (`Meter.lag_s`), and is long enough that what lies between the first and the
last tick in it makes a window of `windows.MIN_SECONDS`. Idle spans of counters with fast ticks are shorter:
`windows.MIN_TICKS` are enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from profilers.errors import MeteringFailed
from profilers.meters import windows
from profilers.meters.base import Meter
from profilers.meters.recorder import Recorder
from profilers.meters.trials import EnergyMeasurement, Span, Trial, summarise

#: Threads of a runtime spin for some time after a run before they sleep.
_REST_S = 0.1

#: Completed runs are noted about this often.
_MARK_S = 0.002

#: Spans are longer than windows by this many ticks, a share, and seconds, since a busy machine delays readings.
_EDGE_TICKS, _EDGE_SHARE, _EDGE_S = 3.0, 0.02, 0.05

#: A brief window has so many ticks, and lasts so long at least; so many ticks are waited before it.
_BRIEF_TICKS, _BRIEF_S, _BRIEF_LAG_TICKS = 1.2 * windows.MIN_TICKS, 1.0, 3.0


@dataclass(frozen=True, slots=True)
class Metering:
    """How much to meter. ``seconds`` is the length of a window, which must not be shorter than 5 s for a result that is
    to be within a percent. With ``brief``, windows of a counter are as short as `windows.MIN_TICKS` allow, and idle is
    metered before the first alone: many networks in little time, for power to be fitted to.
    """

    trials: int = 3
    seconds: float = windows.MIN_SECONDS
    brief: bool = False

    def work_seconds(self, meter: Meter) -> float:
        """The length of a window of work."""
        if self.brief and _counts(meter):
            return min(self.seconds, max(_BRIEF_TICKS * meter.tick_s, _BRIEF_S))
        return self.seconds

    def lag_s(self, meter: Meter) -> float:
        """What is waited for before a window. A counter adds up at once, what it is checked with may average."""
        return min(meter.lag_s, _BRIEF_LAG_TICKS * meter.tick_s) if self.brief and _counts(meter) else meter.lag_s

    def idle_seconds(self, meter: Meter) -> float:
        """The length of an idle window."""
        if self.brief and _counts(meter):
            return self.work_seconds(meter)
        if _counts(meter):
            return min(self.seconds, max(1.2 * windows.MIN_TICKS * meter.tick_s, 0.2 * self.seconds))
        return self.seconds

    def duration_s(self, meter: Meter) -> float:
        """About what metering a model takes."""
        idle, work = (_span_s(meter, s) for s in (self.idle_seconds(meter), self.work_seconds(meter)))
        lag = self.lag_s(meter)
        return self.trials * (work + lag) + (1 if self.brief else self.trials + 1) * (idle + lag + _REST_S)


def meter_runs(
    meter: Meter, run: Callable[[], object], seconds_per_run: float, how: Metering | None = None
) -> EnergyMeasurement:
    """Meter a warm ``run`` that takes about ``seconds_per_run``.

    Raises:
        MeteringFailed: the readings do not tell an energy; the message says why.
    """
    how = how or Metering()
    calls = max(1, round(_MARK_S / max(seconds_per_run, 1e-9)))
    clock = time.get_clock_info("monotonic").resolution
    if clock > _MARK_S:
        raise MeteringFailed(f"the monotonic clock has a resolution of {clock} s, which is too coarse")
    trials = []
    with Recorder(meter) as recorder:
        before = _idle(meter, how)
        for _ in range(how.trials):
            work, marks = _work(meter, run, calls, how)
            after = before if how.brief else _idle(meter, how)
            trials.append(Trial(before, work, after, marks))
            before = after
        time.sleep(how.lag_s(meter))  # what the last readings say may come late
    return summarise(
        meter.channels, recorder.samples, trials, meter=meter.name, method=meter.method, scope=meter.scope,
        min_seconds=how.seconds,
    )  # fmt: skip


def _counts(meter: Meter) -> bool:
    """Whether hardware adds up the energy itself."""
    return all(channel.kind == "energy_j" for channel in meter.channels if not channel.check)


def _span_s(meter: Meter, seconds: float) -> float:
    return seconds * (1.0 + _EDGE_SHARE) + _EDGE_TICKS * max(meter.tick_s, meter.interval_s) + _EDGE_S


def _idle(meter: Meter, how: Metering) -> Span:
    time.sleep(max(_REST_S, how.lag_s(meter)))
    begin = time.monotonic()
    time.sleep(_span_s(meter, how.idle_seconds(meter)))
    return begin, time.monotonic()


def _work(meter: Meter, run: Callable[[], object], calls: int, how: Metering) -> tuple[Span, list[tuple[float, int]]]:
    """The span after the lag, and all marks."""
    start = now = time.monotonic()
    begin = start + how.lag_s(meter)
    end = begin + _span_s(meter, how.work_seconds(meter))
    marks, done = [(start, 0)], 0
    while now < end:
        for _ in range(calls):
            run()
        done += calls
        now = time.monotonic()
        marks.append((now, done))
    return (begin, now), marks
