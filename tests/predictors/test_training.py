"""Training learns what is there, says honestly how well, and promises no more."""

from dataclasses import replace

import numpy as np
import pytest

from lookup_tables import Measurement, Table, write_table
from lookup_tables.tables import read_table
from predictors import NotEnoughMeasurements, TrainedPredictor, train
from predictors.evaluation import evaluate_wholes, frozen_set
from predictors.observations import networks_of, repeated_differences


def test_unseen_kernels_are_learned(trained: TrainedPredictor, world) -> None:  # type: ignore[no-untyped-def]
    kernels = [kernel for _ in range(12) for kernel in world.network()]
    estimates = trained.predictor.estimate(kernels)
    truth = np.array([world.time_us(k) for k in kernels])
    errors = np.abs(np.array([e.time_us for e in estimates]) / truth - 1)
    assert np.average(errors, weights=truth) < 0.09 and np.median(errors) < 0.08
    assert {e.source for e in estimates} <= {"regressor", "table"}
    inside = [
        abs(np.log(t / e.time_us)) <= trained.predictor.intervals.of_kind(k.kind, 0.9) * e.sigma
        for k, e, t in zip(kernels, estimates, truth, strict=True)
    ]
    assert np.mean(inside) > 0.8


def test_unseen_networks_are_learned(trained: TrainedPredictor, world) -> None:  # type: ignore[no-untyped-def]
    predictor = trained.predictor
    ratios, inside = [], []
    for _ in range(120):
        kernels = world.network()
        estimates = predictor.estimate(kernels)
        times, sigma = np.array([e.time_us for e in estimates]), np.array([e.sigma for e in estimates])
        ratio = predictor.composition.whole_us(times) / world.whole_us(kernels)
        ratios.append(abs(ratio - 1))
        inside.append(abs(np.log(ratio)) <= np.log(predictor.intervals.whole_factor(times, sigma, 0.9)))
    assert np.mean(ratios) < 0.06
    assert 0.78 <= np.mean(inside) <= 1.0


def test_measured_kernels_come_from_the_table(trained: TrainedPredictor, table: Table) -> None:
    kernels = [m.kernel for m in table.measurements if m.split == "train" and m.kernel is not None][:200]
    # Here regressors are right almost everywhere; where they were poor, what was measured would decide.
    estimator = trained.predictor.estimator
    poor = {kind: replace(regressor, sigma=1.0) for kind, regressor in estimator.regressors.items()}
    doubting = replace(estimator, regressors=poor)
    assert {e.source for e in doubting.estimate(kernels, doubting.contexts(kernels))} == {"table"}
    known = {m.kernel for m in table.measurements if m.split != "holdout"}
    held_out = [m.kernel for m in table.measurements if m.split == "holdout" and m.kernel not in known]
    assert {e.source for e in trained.predictor.estimate([k for k in held_out if k is not None])} == {"regressor"}


def test_the_report_is_honest(trained: TrainedPredictor, table: Table) -> None:
    report = trained.report
    accuracy = report["accuracy"]
    assert accuracy["models"] == 30 and 0 < accuracy["mape"] < 0.08 and accuracy["spearman"] > 0.97
    assert 0.7 <= accuracy["interval_coverage"] <= 1.0 and accuracy["confidence"] == 0.9
    assert accuracy["interval_factor"] > 1.0
    assert sum(report["coverage"].values()) == pytest.approx(1.0)
    kinds = {row["kind"]: row for row in report["kernels"]["kinds"]}
    assert set(kinds) == {"com.microsoft.nchwc.Conv", "Gemm", "Add", "Softmax"}
    assert sum(row["time_share"] for row in kinds.values()) == pytest.approx(1.0)
    assert all(0 < row["mape"] < 0.2 and abs(row["bias"]) < row["mape"] + 1e-9 for row in kinds.values())
    # Whole models were measured twice with 1 % noise, 700 s apart.
    assert report["noise_floor"] == pytest.approx(0.011, abs=0.006)
    assert report["noise_floor_apart_s"] == 700.0 and report["noise_floor_models"] == 36
    assert report["composition"]["ablation"]["scaled, per kernel, constant"] < report["composition"]["ablation"]["sum"]
    assert report["composition"]["profiler_us"] == pytest.approx(1.5, abs=1.0)


def test_the_frozen_set_is_held_out(trained: TrainedPredictor, table: Table) -> None:
    frozen = frozen_set(networks_of(table.measurements))
    assert len(frozen) == 30 and all(n.split == "holdout" for n in frozen)
    assert [n.context for n in frozen] == sorted(n.context for n in frozen)
    results = evaluate_wholes(trained.predictor, frozen)
    errors = [abs(r.predicted_us / r.measured_us - 1) for r in results]
    assert np.mean(errors) == pytest.approx(trained.report["accuracy"]["mape"])


def test_training_again_gives_the_same(trained: TrainedPredictor, table: Table) -> None:
    again = train(table, seed=3)
    kernels = [m.kernel for m in table.measurements if m.kernel is not None][:100]
    assert trained.predictor.estimate(kernels) == again.predictor.estimate(kernels)
    assert {**again.report, "seconds": 0} == {**trained.report, "seconds": 0}


def test_progress_is_told(table: Table) -> None:
    told: list[tuple[float, str]] = []
    train(table, progress=lambda share, what: told.append((share, what)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0 and all(what for _, what in told)


def test_too_little_to_train_on(table: Table, tmp_path) -> None:  # type: ignore[no-untyped-def]
    few = [m for m in table.measurements if m.kernel is not None][:10]
    small = read_table(write_table(tmp_path, table.target, few))
    with pytest.raises(NotEnoughMeasurements, match="profile the target for longer"):
        train(small)


def test_failed_measurements_teach_nothing(table: Table, tmp_path) -> None:  # type: ignore[no-untyped-def]
    kernel = next(m.kernel for m in table.measurements if m.kernel is not None)
    failed = Measurement("in_network", kernel, error="timeout", context="made-up:failed")
    rows = [m for m in table.measurements if m.split != "holdout"][:900]
    plain, poorer = (train(read_table(write_table(tmp_path, table.target, given))) for given in (rows, [*rows, failed]))
    assert plain.predictor.estimate([kernel]) == poorer.predictor.estimate([kernel])
    assert plain.report["accuracy"] == {}  # no network was held out, and no error is made up for that


def test_noise_is_the_difference_of_repetitions() -> None:
    rows = [
        Measurement("whole_model", latency_us=t, context="a:1", split="composition", started_at=s, session=str(s))
        for t, s in ((100.0, 0.0), (110.0, 900.0))
    ]
    differences, apart_s = repeated_differences(networks_of(rows))
    assert differences.tolist() == pytest.approx([10 / 105]) and apart_s == 900.0
    assert repeated_differences([])[1] is None
