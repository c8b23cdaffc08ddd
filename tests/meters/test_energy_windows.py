"""From readings of a known power to energies: within a percent, or a plain no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from profilers.errors import MeteringFailed
from profilers.meters import Channel, Sample
from profilers.meters.curves import curve_of
from profilers.meters.trials import EnergyMeasurement, half_width, summarise

COUNTER = Channel("package-0", "energy_j", range_j=262.0)
WIDE = replace(COUNTER, range_j=262_143.0)
SENSOR = Channel("rail", "power_w")


def energy(channels: Sequence[Channel], samples: Sequence[Sample], day: Any) -> EnergyMeasurement:
    return summarise(channels, samples, day.trials, meter="rapl", method="counter", scope="package")


def right(found: EnergyMeasurement, day: Any) -> None:
    assert found.gross_mj == pytest.approx(day.gross_mj, rel=0.01)
    assert found.net_mj == pytest.approx(day.net_mj, rel=0.01)
    assert found.run_ms == pytest.approx(10.0, rel=1e-3)


def changed(samples: Sequence[Sample], change: Callable[[int, Sample], float | None]) -> list[Sample]:
    return [replace(s, values=(change(i, s),)) for i, s in enumerate(samples)]


@pytest.mark.parametrize("tick_s", [0.001, 0.02, 0.1])
def test_counters_are_right_within_a_percent(day: Any, long_day: Any, tick_s: float) -> None:
    day = long_day if tick_s == 0.1 else day  # fifty ticks take as long as five seconds
    found = energy([replace(COUNTER, range_j=None)], day.counter(tick_s=tick_s), day)
    right(found, day)
    assert found.resolution_error < 0.01 and not found.notes
    assert found.trials == 3 and found.window_s >= 5.0
    assert found.idle_w == pytest.approx(20.0, rel=0.01) and found.work_w == pytest.approx(65.0, rel=0.01)
    assert EnergyMeasurement.from_json(found.to_json()) == found


def test_sensors_of_power_are_right_within_a_percent(long_day: Any) -> None:
    day = long_day
    right(energy([SENSOR], day.sensor(), day), day)


def test_every_wrap_is_taken_at_its_reading_and_for_its_channel(day: Any) -> None:
    """One zone wraps several times while the other goes on: neither changes what the other says."""
    plain = day.counter()
    pairs = [replace(s, values=((s.values[0] + 200.0) % 262.0, s.values[0])) for s in plain if s.values[0] is not None]
    assert sum(b.values[0] < a.values[0] for a, b in pairwise(pairs)) >= 4  # type: ignore[operator]
    found = energy([COUNTER, replace(COUNTER, name="dram", range_j=262.0 * 64)], pairs, day)
    assert found.gross_mj == pytest.approx(2 * day.gross_mj, rel=0.01)
    assert found.net_mj == pytest.approx(2 * day.net_mj, rel=0.01)
    assert not found.notes


def test_a_failed_reading_is_no_wrap(day: Any) -> None:
    samples = changed(day.counter(), lambda i, s: None if i % 7 == 0 else s.values[0])
    right(energy([COUNTER], samples, day), day)


def test_a_zero_instead_of_an_error_is_no_wrap_either(make_day: Any) -> None:
    """A driver that answers 0 once would add a whole range for a wrap."""
    day = make_day(trials=1)
    channel = replace(COUNTER, range_j=262_143.0)
    samples = changed(day.counter(start_j=90_000.0), lambda i, s: 0.0 if i == 1000 else s.values[0])
    found = energy([channel], samples, day)
    right(found, day)
    assert "the counter was reset" in found.notes and "the counter jumped" in found.notes


def test_a_reset_costs_one_step(day: Any) -> None:
    """Suspend sets counters to zero; going down without a range is never a negative energy."""
    samples = changed(day.counter(start_j=90_000.0), lambda i, s: s.values[0] - (90_100.0 if i > 1000 else 0.0))  # type: ignore[operator]
    for range_j in (None, 262_143.0):
        found = energy([replace(COUNTER, range_j=range_j)], samples, day)
        right(found, day)
        assert "the counter was reset" in found.notes
        curve = curve_of(replace(COUNTER, range_j=range_j), samples, 0)
        assert np.all(np.diff(curve.energy_j) >= 0.0) and curve.lost.sum() == 1


def test_a_counter_that_stands_still_has_no_energy(day: Any) -> None:
    samples = changed(day.counter(), lambda _i, _s: 5.0)
    with pytest.raises(MeteringFailed, match="stood still"):
        energy([COUNTER], samples, day)


def test_a_counter_that_freezes_for_a_while_is_found_out(day: Any) -> None:
    """It goes on from where it stopped: a second of the second window is missing, and the energy with it."""
    begin = day.trials[1].work[0] + 2.0
    at = np.array([s.at_s for s in day.counter()])
    frozen = (at >= begin) & (at < begin + 1.0)
    values = day.energy_j(at)
    held = np.where(frozen, day.energy_j(np.array([begin]))[0], values)
    held = np.where(at >= begin + 1.0, held - 65.0, held)
    with pytest.raises(MeteringFailed, match=r"lost \(the counter stood still"):
        energy([WIDE], [Sample(t, (v,)) for t, v in zip(at.tolist(), held.tolist(), strict=True)], day)


def test_a_counter_that_was_late_but_made_up_for_it_is_right(day: Any) -> None:
    begin = day.trials[1].work[0] + 2.0
    samples = [s for s in day.counter() if not begin <= s.at_s < begin + 1.0]
    right(energy([WIDE], samples, day), day)


def test_a_counter_with_a_small_range_that_was_not_read_may_have_wrapped(day: Any) -> None:
    begin = day.trials[1].work[0] + 2.0
    samples = [s for s in day.counter() if not begin <= s.at_s < begin + 1.0]
    with pytest.raises(MeteringFailed, match="wrapped unseen"):
        energy([COUNTER], samples, day)


def test_a_sensor_that_vanishes(day: Any, long_day: Any) -> None:
    for channel, when, samples in ((COUNTER, day, day.counter()), (SENSOR, long_day, long_day.sensor())):
        end = when.trials[1].work[0] + 2.0
        gone = [s if s.at_s < end else replace(s, values=(None,)) for s in samples]
        with pytest.raises(MeteringFailed, match=r"are needed|told of"):
            energy([channel], gone, when)


def test_a_short_gap_of_a_sensor_is_named_and_a_long_one_refused(long_day: Any) -> None:
    day = long_day
    begin = day.trials[1].work[0] + 2.0

    def gap(seconds: float) -> list[Sample]:
        return [replace(s, values=(None,)) if begin <= s.at_s < begin + seconds else s for s in day.sensor()]

    short = energy([SENSOR], gap(0.2), day)
    right(short, day)
    assert any("could not be read" in note for note in short.notes) and any("error of" in n for n in short.notes)
    with pytest.raises(MeteringFailed, match="lost"):
        energy([SENSOR], gap(1.0), day)


def test_a_sensor_that_never_moves_says_nothing(long_day: Any) -> None:
    day = long_day
    samples = changed(day.sensor(), lambda _i, _s: 20.0)
    with pytest.raises(MeteringFailed, match="stood still"):
        energy([SENSOR], samples, day)


def test_impossible_powers_are_not_energy(long_day: Any) -> None:
    day = long_day
    samples = changed(day.sensor(), lambda i, s: {500: -40.0, 900: 1e9, 901: float("nan")}.get(i, s.values[0]))
    found = energy([SENSOR], samples, day)
    right(found, day)
    assert "the sensor said impossible powers" in found.notes


def test_a_clock_that_goes_back_loses_readings_and_no_energy(day: Any) -> None:
    samples = day.counter()
    shuffled = [*samples[:800], replace(samples[800], at_s=samples[700].at_s), *samples[801:]]
    found = energy([COUNTER], shuffled, day)
    right(found, day)
    assert "times of readings went backwards" in found.notes


def test_windows_that_are_too_short_are_refused_not_zero(make_day: Any) -> None:
    day = make_day(work_s=0.3)
    with pytest.raises(MeteringFailed, match="5 are needed and"):
        energy([COUNTER], day.counter(tick_s=0.02), day)
    with pytest.raises(MeteringFailed, match="fewer than three readings"):
        energy([COUNTER], day.counter(tick_s=0.2), day)
    with pytest.raises(MeteringFailed, match="5 are needed"):
        energy([SENSOR], day.sensor(), day)
    right(energy([COUNTER], day.counter(), day), day)  # sixty ticks in 0.3 s


def test_resolution_is_owned_up_to(make_day: Any) -> None:
    """A counter that ticks each second and is polled each 0.3 s: ticks are noticed late by up to that, in 7 s."""
    day = make_day(work_s=7.5, idle_s=7.5)
    found = energy([replace(COUNTER, range_j=None)], day.counter(every_s=0.3, tick_s=1.0), day)
    assert found.resolution_error > 0.03
    assert found.gross_mj == pytest.approx(day.gross_mj, rel=found.resolution_error)
    assert any("resolution allows an error" in note for note in found.notes)


def test_intervals_hold_over_trials() -> None:
    """Of means of trials with noise, 95 % lie within the half-width of the truth."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(2000):
        values = rng.normal(50.0, 2.0, 3)
        width = half_width(values.tolist())
        assert width is not None
        inside += abs(float(values.mean()) - 50.0) <= width
    assert 0.93 < inside / 2000 < 0.97
    assert half_width([1.0]) is None
    assert half_width([1.0, 2.0] * 40) == pytest.approx(1.96 * np.std([1.0, 2.0] * 40, ddof=1) / 80**0.5)


def test_idle_that_changes_is_named(day: Any) -> None:
    """Idle before and after are averaged; a machine that cools down meanwhile is told of."""
    at = day.times(0.005)
    drifting = day.energy_j(at) + 0.5 * 2.0 * (at - 99.0) ** 2
    samples = [Sample(t, (e,)) for t, e in zip(at.tolist(), drifting.tolist(), strict=True)]
    found = energy([replace(COUNTER, range_j=None)], samples, day)
    assert found.net_mj == pytest.approx(day.net_mj, rel=0.02)
    assert any("idle power changed" in note for note in found.notes)


def test_work_that_adds_nothing_is_not_told_from_idle(make_day: Any) -> None:
    day = make_day(idle_w=20.0, work_w=20.0)
    found = energy([replace(COUNTER, range_j=None)], day.counter(), day)
    assert found.gross_mj == pytest.approx(day.gross_mj, rel=0.01)
    assert found.net_mj == pytest.approx(0.0, abs=0.01 * found.gross_mj)
    assert "work is not told from idle: the net energy may be none" in found.notes
    assert not any("changed" in note for note in found.notes)


def test_polled_power_checks_the_counter(long_day: Any) -> None:
    day = long_day
    counters = day.counter(every_s=0.02)
    for factor, noted in ((1.0, False), (0.5, True)):
        watts = factor * day.power_w(np.array([s.at_s for s in counters]))
        both = [replace(s, values=(*s.values, w)) for s, w in zip(counters, watts.tolist(), strict=True)]
        channels = [replace(COUNTER, range_j=None), replace(SENSOR, check=True)]
        found = energy(channels, both, day)
        right(found, day)
        assert found.check == pytest.approx(factor - 1.0, abs=0.01)
        assert any("polled power says" in note for note in found.notes) is noted
    silent = [replace(s, values=(*s.values, None)) for s in counters]
    assert energy(channels, silent, day).check is None
