"""Composition terms are found again, and stay sensible where little is known."""

import numpy as np
import pytest

from predictors.composition import FORMS, Composition, fit


def networks(
    rng: np.random.Generator, count: int, truth: Composition, noise: float
) -> tuple[list[np.ndarray], list[float]]:
    kernels = [rng.lognormal(3.0, 1.5, size=int(rng.integers(10, 200))) + 2.0 for _ in range(count)]
    return kernels, [truth.whole_us(times) * float(np.exp(rng.normal(0, noise))) for times in kernels]


def test_terms_are_found() -> None:
    truth = Composition(scale=1.03, profiler_us=2.0, constant_us=15.0)
    kernels, wholes = networks(np.random.default_rng(1), 60, truth, 0.01)
    found = fit(kernels, wholes)
    assert found.scale == pytest.approx(truth.scale, abs=0.02)
    assert found.profiler_us == pytest.approx(truth.profiler_us, abs=0.6)
    assert max(abs(found.whole_us(k) / truth.whole_us(k) - 1) for k in kernels) < 0.03


def test_one_wild_measurement_changes_little() -> None:
    truth = Composition(scale=1.0, profiler_us=1.5)
    kernels, wholes = networks(np.random.default_rng(2), 40, truth, 0.01)
    wild = [*wholes[:-1], 5 * wholes[-1]]
    disturbed, calm = fit(kernels, wild), fit(kernels, wholes)
    for k in kernels:
        assert disturbed.whole_us(k) == pytest.approx(calm.whole_us(k), rel=0.02)


def test_more_cost_without_the_profiler_is_overhead() -> None:
    truth = Composition(scale=1.0, profiler_us=-3.0)
    kernels, wholes = networks(np.random.default_rng(3), 60, truth, 0.005)
    found = fit(kernels, wholes)
    assert found.profiler_us < -1.0
    assert found.overhead_us(100) > 100.0


def test_every_kernel_keeps_a_positive_time() -> None:
    times = np.array([0.1, 1.0, 2.0, 1000.0])
    assert (Composition(profiler_us=5.0).kernels_us(times) > 0).all()


def test_without_networks_the_sum_remains() -> None:
    assert fit([], []) == Composition()
    assert Composition().whole_us(np.array([1.0, 2.0])) == 3.0
    assert Composition().whole_us(np.array([])) == 0.0


def test_simpler_forms_have_fewer_terms() -> None:
    truth = Composition(scale=1.05, profiler_us=2.0, constant_us=30.0)
    kernels, wholes = networks(np.random.default_rng(4), 40, truth, 0.005)
    assert fit(kernels, wholes, FORMS["sum"]) == Composition()
    scaled = fit(kernels, wholes, FORMS["scaled"])
    assert scaled.profiler_us == 0.0 and scaled.constant_us == 0.0 and scaled.scale != 1.0
    assert fit(kernels, wholes, FORMS["scaled, per kernel"]).constant_us == 0.0


def test_a_residual_is_believed_as_far_as_it_is_known() -> None:
    few = Composition().with_residual(np.full(2, 0.1))
    many = Composition().with_residual(np.full(200, 0.1))
    assert 0 < few.residual < many.residual < 0.1
    assert Composition().with_residual(np.array([])) == Composition()
    assert Composition.from_json(many.to_json()) == many
