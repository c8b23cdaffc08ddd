from dataclasses import replace

import pytest

from lookup_tables import Measurement
from lookup_tables.drift import MOMENTARY, correct_all, reference_of

BASE = Measurement("whole_model", latency_us=100.0, p10_us=90.0, p90_us=110.0, mad_us=5.0, blocks_us=(90.0, 110.0))


def test_labels_are_divided_and_blocks_are_not() -> None:
    slow = replace(BASE, sentinel_us=1200.0)
    [record] = correct_all([slow], reference_us=1000.0)
    assert record.drift == pytest.approx(1.2)
    assert record.latency_us == pytest.approx(100 / 1.2)
    assert record.p90_us == pytest.approx(110 / 1.2)
    assert record.blocks_us == BASE.blocks_us


def test_the_reference_is_the_median_of_measurements() -> None:
    # A network of many kernels has one reading, and counts once.
    many = [replace(BASE, context="a", position=i, sentinel_us=2000.0) for i in range(10)]
    others = [replace(BASE, context=c, sentinel_us=1000.0) for c in "bc"]
    assert reference_of(many + others) == 1000.0


def test_the_same_machine_at_two_speeds_gives_the_same_label() -> None:
    fast = replace(BASE, context="a", sentinel_us=1000.0)
    slow = replace(BASE, context="b", sentinel_us=1400.0, latency_us=140.0, started_at=60.0)
    one, two = correct_all([fast, slow])
    assert one.latency_us == pytest.approx(two.latency_us)


def test_failures_and_unknown_drift_pass_through() -> None:
    failed = Measurement("whole_model", error="oom")
    assert correct_all([failed, BASE]) == [failed, BASE]
    assert reference_of([failed, BASE]) is None


def test_a_reading_unlike_those_around_it_counts_less() -> None:
    calm = [replace(BASE, context=str(i), sentinel_us=1000.0, started_at=0.5 * i) for i in range(9)]
    odd = replace(BASE, context="odd", sentinel_us=1200.0, started_at=2.1)
    assert correct_all([*calm, odd], 1000.0)[-1].drift == pytest.approx(1.2**MOMENTARY)


def test_other_processes_say_nothing_about_a_measurement() -> None:
    # Two boards of a kind that measure at the same moment, one of which is throttled.
    one = [replace(BASE, session="one", context=str(i), sentinel_us=1000.0, started_at=float(i)) for i in range(3)]
    other = [replace(BASE, session="other", context=str(i), sentinel_us=2000.0, started_at=float(i)) for i in range(3)]
    assert [record.drift for record in correct_all([*one, *other], 1000.0)] == pytest.approx([1, 1, 1, 2, 2, 2])
