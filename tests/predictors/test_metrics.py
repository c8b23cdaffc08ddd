"""Metrics by hand-made examples."""

import math

import pytest

from predictors import metrics


def test_relative_errors() -> None:
    predicted, measured = [1.1, 1.8, 5.0], [1.0, 2.0, 5.0]
    assert metrics.mape(predicted, measured) == pytest.approx(0.2 / 3)
    assert metrics.median_ape(predicted, measured) == pytest.approx(0.1)
    assert metrics.bias(predicted, measured) == pytest.approx(0.0)
    assert metrics.within(predicted, measured, 0.05) == pytest.approx(1 / 3)
    assert metrics.within([104.0, 94.0], [100.0, 100.0], 0.05) == 0.5


def test_rank_correlations() -> None:
    assert metrics.spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert metrics.spearman([1, 2, 3, 4], [40, 30, 20, 10]) == pytest.approx(-1.0)
    # ρ = 1 - 6·Σd²/(n(n²-1)) with d = (0, 1, 1, 0)
    assert metrics.spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    # five pairs agree, one does not
    assert metrics.kendall([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(4 / 6)
    # τ-b with one tie in the first: (2 - 0) / √(2·3)
    assert metrics.kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(6))
    assert math.isnan(metrics.spearman([1, 1], [1, 2])) and math.isnan(metrics.kendall([3], [3]))


def test_ties_share_their_rank() -> None:
    assert metrics.spearman([1, 2, 2, 3], [1, 2, 2, 3]) == pytest.approx(1.0)


def test_coverage_includes_the_ends() -> None:
    assert metrics.coverage([1, 1, 1], [2, 2, 2], [1, 2, 2.1]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("predicted", "measured"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [float("nan")])]
)
def test_what_cannot_be_compared(predicted: list[float], measured: list[float]) -> None:
    with pytest.raises(ValueError, match="metrics need"):
        metrics.mape(predicted, measured)
