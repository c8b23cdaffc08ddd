"""Timing calls in blocks on a monotonic clock."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from statistics import median

import numpy as np

from profilers import protocol

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """Statistics over blocks, in microseconds per call; ``blocks_us`` are in order of time."""

    median_us: float
    p10_us: float
    p90_us: float
    mad_us: float
    runs: int
    blocks_us: tuple[float, ...]

    @classmethod
    def of(cls, blocks_us: list[float], runs: int) -> Timing:
        """Statistics of ``blocks_us``, of which there is at least one."""
        values = np.asarray(blocks_us)
        middle = float(np.median(values))
        p10, p90 = np.percentile(values, (10, 90))
        mad = float(np.median(np.abs(values - middle)))
        return cls(middle, float(p10), float(p90), mad, runs, tuple(blocks_us))


@cache
def timer_resolution_s() -> float:
    """The smallest step that the clock was seen to take, or what the system promises if that is more."""
    steps = []
    for _ in range(200):
        start = now = time.perf_counter_ns()
        while now == start:
            now = time.perf_counter_ns()
        steps.append(now - start)
    return max(median(steps) / 1e9, time.get_clock_info("perf_counter").resolution)


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep the garbage collector from running inside a block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def time_block(call: Call, calls: int) -> float:
    """Mean seconds per call over ``calls`` calls."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / 1e9 / calls


def calls_per_block(seconds_per_call: float, block_s: float = protocol.BLOCK_SECONDS) -> int:
    """How many calls make a block of ``block_s`` and of at least 20 times the timer's resolution."""
    needed = max(block_s, protocol.BLOCK_RESOLUTIONS * timer_resolution_s())
    return max(1, math.ceil(needed / max(seconds_per_call, 1e-9)))


def settle(call: Call, limit_s: float, tolerance: float = protocol.SETTLE_TOLERANCE) -> tuple[bool, float]:
    """Warm up until two successive blocks agree within ``tolerance``, for at most ``limit_s``.

    Returns whether they agreed and the seconds per call of the faster of the last two blocks. The first call, which
    allocates, is not looked at.
    """
    start = time.perf_counter()
    call()
    calls = calls_per_block(time_block(call, 1))
    last = time_block(call, calls)
    while True:
        block = time_block(call, calls)
        if abs(block - last) <= tolerance * min(block, last):
            return True, min(block, last)
        if time.perf_counter() - start >= limit_s:
            return False, min(block, last)
        last = block


def time_blocks(
    call: Call,
    seconds_per_call: float,
    seconds: float,
    *,
    blocks: int = protocol.WHOLE_BLOCKS,
    min_blocks: int = protocol.WHOLE_MIN_BLOCKS,
    pause: Call | None = None,
) -> Timing:
    """Time a warm ``call`` for about ``seconds`` in ``blocks`` blocks; in fewer, but ``min_blocks``, if it is slow.

    ``pause`` is called between blocks whenever `protocol.SENTINEL_EVERY_SECONDS` of timing went by; one call after it
    is not timed, since whatever it did took the place of the call's data in the caches.
    """
    calls = calls_per_block(seconds_per_call, max(protocol.BLOCK_SECONDS, seconds / blocks))
    block_s = seconds_per_call * calls
    wanted = max(min_blocks, min(blocks, int(seconds / max(block_s, 1e-9))))
    every = max(1, round(protocol.SENTINEL_EVERY_SECONDS / max(block_s, 1e-9)))
    values = []
    with without_collections():
        for index in range(wanted):
            if pause is not None and index and index % every == 0:
                pause()
                call()
            values.append(time_block(call, calls) * 1e6)
    return Timing.of(values, calls * wanted)


def trimmed_mean(values: np.ndarray, share: float = protocol.KEPT_SHARE) -> np.ndarray:
    """Mean of the smallest ``share`` of the values along the first axis."""
    kept = max(1, math.floor(len(values) * share))
    mean: np.ndarray = np.sort(values, axis=0)[:kept].mean(axis=0)
    return mean
