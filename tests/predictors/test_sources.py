"""Sources: table entries against regressors, isolated measurements, the roofline and what nobody can price."""

import numpy as np
import pytest

from graphs import Kernel, Operand
from lookup_tables import Measurement
from predictors.baseline import Baseline
from predictors.context import HOT
from predictors.observations import NetworkTimes, Observations
from predictors.roofline import Roofline, is_priceable
from predictors.table_source import IsolatedCorrection, TableSource
from predictors.work import work_of


def relu(size: int) -> Kernel:
    return Kernel("Relu", (Operand("float32", (size,)),), (Operand("float32", (size,)),))


def rows(times: list[list[float]]) -> Observations:
    """Networks with one time per kernel: ``relu(100)``, ``relu(101)``, …"""
    networks = [NetworkTimes(f"n{i}", "train", [relu(100 + k) for k in range(len(t))], t) for i, t in enumerate(times)]
    return Observations.inside(networks, {"train"})


def alone(times: dict[int, float]) -> Observations:
    measured = [Measurement("isolated", relu(size), latency_us=time) for size, time in times.items()]
    return Observations.alone(measured, {"train"})


def test_entries_average_networks() -> None:
    inside = rows([[10.0, 20.0], [11.0, 22.0], [12.1]])
    source = TableSource.of(inside, np.log(inside.time_us) * 0 + np.log(10.0), alone({}), np.empty(0))
    place = source.find([relu(100), relu(101), relu(999)])
    assert place[2] == -1 and len(source) == 2
    assert np.exp(source.log_us[place[0]]) == pytest.approx(11.0)
    assert np.exp(source.residual[place[0]]) == pytest.approx(1.1)
    # Three networks say more than two.
    assert source.variance[place[0]] < source.variance[place[1]]


def test_kinds_that_vary_more_between_networks_are_trusted_less() -> None:
    rng = np.random.default_rng(0)
    variances = []
    for spread in (0.02, 0.3):
        inside = rows([[float(np.exp(rng.normal(3, spread))) for _ in range(20)] for _ in range(4)])
        variances.append(TableSource.of(inside, np.full(len(inside), 3.0), alone({}), np.empty(0)).variance.mean())
    assert variances[1] > 20 * variances[0]


def test_isolated_measurements_enter_corrected() -> None:
    """Inside networks everything takes 1.3 times as long as alone."""
    hot = {100 + k: 10.0 + k for k in range(30)}
    inside = rows([[1.3 * hot[100 + k] for k in range(20)]])
    lonely = alone(hot)
    # The regressor knows kernels inside networks, and says 2 % too little of them.
    source = TableSource.of(inside, np.log(inside.time_us / 1.02), lonely, np.log(1.3 * lonely.time_us / 1.02))
    place = source.find([relu(100 + k) for k in range(30)])
    assert (place >= 0).all()
    # Measured inside: as measured. Only alone: corrected, and trusted less.
    assert np.exp(source.log_us[place[25]]) == pytest.approx(1.3 * hot[125], rel=0.02)
    assert np.exp(source.residual[place]) == pytest.approx(1.02)
    assert source.variance[place[25]] > source.variance[place[5]]


def test_without_pairs_isolated_measurements_stay_out() -> None:
    inside, lonely = rows([[10.0]]), alone({500: 5.0})
    assert IsolatedCorrection.fitted([("Relu", 0.1)] * 3) is None
    assert len(TableSource.of(inside, np.zeros(1), lonely, np.zeros(1))) == 1


def test_tables_survive_arrays() -> None:
    inside = rows([[10.0, 20.0], [11.0]])
    source = TableSource.of(inside, np.zeros(len(inside)), alone({}), np.empty(0))
    again = TableSource.from_arrays(source.to_arrays())
    assert np.array_equal(again.find([relu(101)]), source.find([relu(101)]))
    broken = {**source.to_arrays(), "log_us": np.zeros(1)}
    with pytest.raises(ValueError, match="do not belong together"):
        TableSource.from_arrays(broken)


def test_contexts_of_isolated_kernels_are_hot() -> None:
    assert alone({100: 1.0}).contexts == (HOT,)


def test_baseline_is_positive_and_grows() -> None:
    baseline = Baseline.from_peaks({"flops_per_s": {"float32": 1e11}, "bytes_per_s": 1e10}, 2.0)
    empty, small, large = baseline.time_us(work_of([relu(0), relu(1000), relu(10**8)]))
    assert 2.0 == empty < small < large
    assert baseline.bounds(work_of([relu(1), relu(10**7)])) == ["launch", "memory"]
    assert baseline.cache_bytes_per_s == Baseline().cache_bytes_per_s  # not measured: the constant
    assert Baseline.from_peaks({"flops_per_s": {"float32": -1.0}, "bytes_per_s": None}) == Baseline()
    assert Baseline.from_json(baseline.to_json()) == baseline


def test_roofline_learns_from_related_kinds() -> None:
    baseline = Baseline()
    work = work_of([relu(10**6)])
    related = Roofline.fitted(["Relu", "Relu", "Sigmoid"], np.log([2.0, 2.0, 2.0]))
    log_us, sigma = related.answer("Softplus", baseline, work)
    assert log_us == pytest.approx(np.log(2 * baseline.time_us(work)[0]))
    unrelated, blind = Roofline.fitted([], np.empty(0)).answer("Softplus", baseline, work)
    assert unrelated == pytest.approx(np.log(baseline.time_us(work)[0])) and blind > sigma >= 0.7
    assert Roofline.from_json(related.to_json()) == related


@pytest.mark.parametrize("kind", ["Softplus", "Det", "com.microsoft.MultiHeadAttention", "com.microsoft.nchwc.Conv"])
def test_priceable(kind: str) -> None:
    assert is_priceable(kind)


@pytest.mark.parametrize(
    "kind", ["If", "SequenceAt", "com.microsoft.BeamSearch", "my.domain.Relu", "NonMaxSuppression"]
)
def test_unpriceable(kind: str) -> None:
    assert not is_priceable(kind)
