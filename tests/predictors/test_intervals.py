"""Intervals hold on fresh draws, at every confidence, and know that kernels err together."""

import itertools

import numpy as np
import pytest

from predictors.intervals import CalibrationNetwork, Intervals, Quantiles, calibrate, whole_sigma


def draw(rng: np.random.Generator, networks: int, together: float) -> list[CalibrationNetwork]:
    """Kernels with errors of 10 %, of which ``together`` is common to a network; the predictor believes 5 %."""
    found = []
    for _ in range(networks):
        time = rng.lognormal(3, 1, size=30)
        common = rng.normal() * np.sqrt(together)
        errors = 0.1 * (common + rng.normal(size=30) * np.sqrt(1 - together))
        whole = float(np.log(np.sum(time * np.exp(errors)) / np.sum(time)))
        found.append(CalibrationNetwork(time, np.full(30, 0.05), whole))
    return found


@pytest.mark.parametrize("together", [0.0, 0.5, 1.0])
def test_wholes_are_covered_as_promised(together: float) -> None:
    rng = np.random.default_rng(5)
    intervals = calibrate(["Conv"] * 100, np.abs(rng.normal(size=100)), draw(rng, 400, together))
    fresh = draw(rng, 1500, together)
    for confidence in (0.5, 0.8, 0.9, 0.95):
        inside = [abs(n.log_error) <= np.log(intervals.whole_factor(n.time_us, n.sigma, confidence)) for n in fresh]
        assert np.mean(inside) == pytest.approx(confidence, abs=0.05), confidence


def test_kernels_are_covered_as_promised() -> None:
    rng = np.random.default_rng(6)
    kinds = ["Conv"] * 600 + ["Add"] * 600
    scale = np.repeat([1.0, 3.0], 600)
    intervals = calibrate(kinds, np.abs(rng.standard_t(4, size=1200)) * scale, [])
    for kind, width in (("Conv", 1.0), ("Add", 3.0)):
        fresh = np.abs(rng.standard_t(4, size=4000)) * width
        assert np.mean(fresh <= intervals.of_kind(kind, 0.9)) == pytest.approx(0.9, abs=0.04)
    assert intervals.of_kind("Add", 0.9) > 2 * intervals.of_kind("Conv", 0.9)
    # A kind that was hardly measured gets the quantile of all.
    assert intervals.of_kind("Softmax", 0.9) == intervals.kinds[""].at(0.9)


def test_a_higher_confidence_is_wider() -> None:
    quantiles = Quantiles.of(np.abs(np.random.default_rng(7).normal(size=12)))
    asked = [quantiles.at(c) for c in np.linspace(0.5, 0.999, 40)]
    assert all(a <= b for a, b in itertools.pairwise(asked)) and asked[-1] > asked[0]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_scores_do_not_promise_too_much(count: int) -> None:
    quantiles = Quantiles.of(np.full(count, 1.0))
    assert quantiles.at(0.99) > quantiles.at(0.9) > quantiles.at(0.5) > 0


def test_sums_of_independent_errors_are_narrower() -> None:
    times, sigma = np.ones(100), np.full(100, 0.2)
    assert whole_sigma(times, sigma, 1.0, 0.0) == pytest.approx(0.2)
    assert whole_sigma(times, sigma, 0.0, 0.0) == pytest.approx(0.02)
    assert whole_sigma(np.array([]), np.array([]), 0.5, 0.01) == 0.01


def test_json() -> None:
    intervals = calibrate(["Conv"] * 50, np.linspace(0.1, 2, 50), draw(np.random.default_rng(1), 20, 0.3))
    assert Intervals.from_json(intervals.to_json()) == intervals
    with pytest.raises(ValueError, match="other levels"):
        Intervals.from_json({**intervals.to_json(), "levels": [0.5]})
