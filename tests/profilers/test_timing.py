import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers import protocol
from profilers.timing import Timing, calls_per_block, settle, time_blocks, timer_resolution_s, trimmed_mean


@given(st.floats(min_value=1e-8, max_value=10))
def test_blocks_are_long_against_the_timer(seconds: float) -> None:
    calls = calls_per_block(seconds)
    assert calls >= 1
    assert calls * seconds >= protocol.BLOCK_RESOLUTIONS * timer_resolution_s() * 0.999
    enough = max(protocol.BLOCK_SECONDS, protocol.BLOCK_RESOLUTIONS * timer_resolution_s())
    assert calls == 1 or (calls - 1) * seconds < enough * 1.001


@given(st.lists(st.floats(min_value=0.1, max_value=1e6), min_size=1, max_size=50))
def test_statistics_are_ordered(blocks: list[float]) -> None:
    timing = Timing.of(blocks, len(blocks))
    assert min(blocks) <= timing.p10_us <= timing.median_us * (1 + 1e-9)
    assert timing.median_us <= timing.p90_us * (1 + 1e-9)
    assert timing.mad_us >= 0
    assert timing.blocks_us == tuple(blocks)


def test_all_calls_are_counted() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1

    timing = time_blocks(call, 1e-3, 0.05, blocks=5)
    assert timing.runs == calls
    assert len(timing.blocks_us) == 5


def test_slow_calls_get_fewer_blocks_but_enough() -> None:
    timing = time_blocks(lambda: None, 10.0, 0.1, blocks=30, min_blocks=3)
    assert (timing.runs, len(timing.blocks_us)) == (3, 3)


def test_pauses_come_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SENTINEL_EVERY_SECONDS", 0.02)
    seen: list[str] = []
    time_blocks(lambda: seen.append("call"), 0.01, 0.06, blocks=6, pause=lambda: seen.append("pause"))
    timed = ["call", "call"]
    assert seen == [*timed, "pause", "call", *timed, "pause", "call", *timed]


def test_settling_gives_up_in_time() -> None:
    durations = iter(range(1, 100000))

    def slower_and_slower() -> None:
        sum(range(next(durations) * 2000))

    settled, seconds = settle(slower_and_slower, limit_s=0.02, tolerance=1e-9)
    assert not settled
    assert seconds > 0


def test_the_slowest_runs_do_not_count() -> None:
    durations = np.array([[10.0, 1.0], [11.0, 1.0], [12.0, 1.0], [11.0, 1.0], [900.0, 6.0]])
    assert trimmed_mean(durations, 0.8).tolist() == [11.0, 1.0]
