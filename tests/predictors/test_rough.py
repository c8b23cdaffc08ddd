"""Rough times: from work alone, by kind."""

import numpy as np
import pytest

from graphs import Kernel, Operand
from predictors.baseline import Baseline
from predictors.context import HOT, run_steps
from predictors.observations import Observations
from predictors.rough import RoughTime
from predictors.work import work_of


def relu(elements: int, kind: str = "Relu") -> Kernel:
    tensor = Operand("float32", (elements,))
    return Kernel(kind, (tensor,), (tensor,))


#: Two networks of five kernels each; every Relu takes a nanosecond per element and 5 µs besides.
KERNELS = tuple(relu(2**n) for n in range(10, 20))
TIMES = np.array([5.0 + k.outputs[0].elements / 1000.0 for k in KERNELS])
ROWS = Observations(
    KERNELS, np.arange(10), np.arange(10) % 2, (HOT,) * 10, TIMES, np.full(10, 2.0), ("resnet", "mobilenet")
)


def fitted() -> RoughTime:
    baseline, work = Baseline(), work_of(KERNELS)
    return RoughTime.fitted(baseline, ROWS, work, np.log(TIMES / baseline.time_us(work)))


def test_times_follow_the_work() -> None:
    rough = fitted()
    # The baseline has a knee where caches end, which a polynomial cannot follow.
    assert np.abs(np.log(rough.kernels_us(KERNELS) / TIMES)).max() < 0.6
    assert np.abs(np.log(rough.kernels_us(KERNELS) / TIMES)).mean() < 0.25
    # Remembered, also where only some are known.
    assert rough.kernels_us([relu(3000), *KERNELS])[1:] == rough.kernels_us(KERNELS)


def test_nothing_is_slower_over_the_baseline_than_what_was_measured() -> None:
    rough = fitted()
    huge = relu(2**34)
    ratio = np.log(TIMES / Baseline().time_us(work_of(KERNELS)))
    found = np.log(rough.kernels_us([huge])[0] / Baseline().time_us(work_of([huge]))[0])
    assert ratio.min() - 1e-9 <= found <= ratio.max() + 1e-9


def test_unknown_kinds_are_as_far_from_the_baseline_as_all_are() -> None:
    rough = fitted()
    other = relu(4096, "Selu")
    assert rough.kernels_us([other])[0] == pytest.approx(
        float(Baseline().time_us(work_of([other]))[0]) * np.exp(rough.by_kind[""][2])
    )


def test_runs_are_as_long_as_their_kernels() -> None:
    timed = fitted().in_runs(ROWS, work_of(KERNELS))
    for network in (0, 1):
        mine = ROWS.network == network
        expected = 2.0 * float(np.sum(fitted().kernels_us(KERNELS)[network::2]))  # each occurs twice
        assert {timed.contexts[i][2] for i in np.flatnonzero(mine)} == {int(run_steps(expected))}


def test_json_and_back() -> None:
    rough = fitted()
    again = RoughTime.from_json(rough.baseline, rough.to_json())
    assert again.kernels_us(KERNELS) == rough.kernels_us(KERNELS)
    with pytest.raises(ValueError, match="lack kinds or terms"):
        RoughTime.from_json(rough.baseline, {"": [1.0]})
