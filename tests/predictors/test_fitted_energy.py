"""A made-up world whose power is known: it is found again, beats constant power, and its intervals hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphs import Kernel, LoweringProfile
from graphs.costs import flops
from graphs.spaces import sample
from lookup_tables import Measurement, Table, read_table, write_table
from predictors import Predictor, TrainedPredictor, make_plan, train
from predictors._boosting import ForestSettings
from predictors.baseline import Baseline
from predictors.composition import Composition
from predictors.energy import FittedPower, PowerGuess
from predictors.energy.fitted import TERMS, fit_weights, terms_of
from predictors.energy.fitting import MIN_WINDOWS, Window, describe, fit_power
from predictors.energy.plan import WANTED, with_metering
from predictors.estimates import Estimate
from predictors.intervals import Quantiles
from predictors.observations import networks_of
from predictors.work import work_of

#: Net watts while a kernel runs.
WATTS = {"com.microsoft.nchwc.Conv": 14.0, "Gemm": 60.0, "Add": 40.0, "Softmax": 50.0}
IDLE_W = 18.0

BASELINE = Baseline(flops_per_s=150e9, bytes_per_s=20e9, cache_bytes_per_s=80e9)


def meter(
    world: Any, table: Table, *, noise: float = 0.01, method: str = "counter", scope: str = "package",
    kept: Callable[[Measurement], bool] = lambda _m: True,
) -> list[Measurement]:  # fmt: skip
    """The table's measurements, with energies on whole networks as a meter would tell them."""
    rng = np.random.default_rng(11)
    inside: dict[str, list[Kernel]] = {}
    for m in table.measurements:
        if m.mode == "in_network" and m.kernel is not None:
            inside.setdefault(m.context, []).append(m.kernel)
    rows = []
    for m in table.measurements:
        if m.mode == "whole_model" and m.latency_us and kept(m):
            kernels = inside[m.context]
            times = np.array([world.time_us(k) for k in kernels])
            watts = float(np.average([WATTS[k.kind] for k in kernels], weights=times))
            net = watts * m.latency_us / 1e3 * float(np.exp(rng.normal(0.0, noise)))
            gross = net + IDLE_W * m.latency_us / 1e3
            m = replace(m, energy_mj=net, energy_gross_mj=gross, energy_method=method, energy_scope=scope)
        rows.append(m)
    return rows


@pytest.fixture(scope="session")
def knowing(world: Any) -> Any:
    """A predictor that knows the times of kernels within a few percent, and all else exactly."""

    def estimate(kernels: list[Kernel]) -> list[Estimate]:
        told = []
        for kernel in kernels:
            share = BASELINE.compute_us(work_of([kernel]))[0] / BASELINE.time_us(work_of([kernel]))[0]
            off = np.random.default_rng(int(kernel.key[:8], 16)).normal(0.0, 0.03)
            time_us = world.time_us(kernel) * float(np.exp(off))
            told.append(Estimate(time_us, 0.03, "regressor", "compute", False, flops(kernel), float(share)))
        return told

    return SimpleNamespace(
        estimate=estimate, composition=Composition(scale=1.03, profiler_us=1.5, constant_us=20.0),
        estimator=SimpleNamespace(baseline=BASELINE), target=SimpleNamespace(lowering=LoweringProfile()),
        intervals=SimpleNamespace(whole_sigma=lambda _times, _sigma: 0.02),
    )  # fmt: skip


def fitted(knowing: Any, rows: list[Measurement]) -> tuple[FittedPower, dict[str, Any]]:
    power, report = fit_power(knowing, rows, networks_of(rows))
    assert power is not None and report is not None
    return power, report


def test_a_known_power_is_found_again(world: Any, table: Table, knowing: Any) -> None:
    power, report = fitted(knowing, meter(world, table))
    assert (power.method, power.scope, power.metered_by) == ("fitted", "package", "counter")
    assert power.idle_w == pytest.approx(IDLE_W, rel=0.01)
    holdout = report["holdout"]
    assert holdout["mape"] < 0.08 and holdout["mape"] < 0.75 * holdout["constant_power_mape"]
    assert report["power"]["unseen_families_mape"] < 0.6 * report["power"]["constant_mape"]
    assert abs(report["sum_over_whole"]["residual"]) < 0.05
    for kernel in (world.conv(), world.gemm()):
        ms = world.time_us(kernel) / 1e3
        assert power.kernel_mj(ms, 0.9, kernel.kind, flops(kernel)) / ms == pytest.approx(WATTS[kernel.kind], rel=0.35)


def test_intervals_of_energy_hold(world: Any, table: Table, knowing: Any) -> None:
    """Thirty networks that nothing was fitted on: nine in ten within, give or take two and a half deviations."""
    _, report = fitted(knowing, meter(world, table, noise=0.06))
    assert 0.76 <= report["holdout"]["interval_coverage"] <= 1.0


def test_constant_power_stays_constant(world: Any, table: Table, knowing: Any) -> None:
    rows = [
        m if m.energy_mj is None else replace(m, energy_mj=25.0 * (m.latency_us or 0.0) / 1e3)
        for m in meter(world, table)
    ]
    power, report = fitted(knowing, rows)
    assert power.constant_w == pytest.approx(25.0)
    assert report["holdout"]["mape"] == pytest.approx(report["holdout"]["constant_power_mape"], abs=0.01)


def test_methods_and_scopes_are_never_pooled(world: Any, table: Table, knowing: Any) -> None:
    """A third of the windows come from a plug that sees the whole machine: it changes nothing."""
    alone = meter(world, table, kept=lambda m: int(m.context[-1]) % 3 != 0)
    board = [
        m if m.energy_mj is not None or m.mode != "whole_model" else
        replace(m, energy_mj=900.0 * (m.latency_us or 0.0) / 1e3, energy_gross_mj=1e6, energy_method="meter",
                energy_scope="external")
        for m in alone
    ]  # fmt: skip
    power, report = fitted(knowing, board)
    assert power == fitted(knowing, alone)[0]
    assert report["left_out"] == {"meter of external": sum(m.energy_scope == "external" for m in board)}


def test_too_few_windows_leave_the_guess(world: Any, table: Table, knowing: Any) -> None:
    contexts = sorted({m.context for m in table.measurements if m.split == "composition"})[: MIN_WINDOWS // 2 - 1]
    rows = meter(world, table, kept=lambda m: m.context in contexts)
    power, report = fit_power(knowing, rows, networks_of(rows))
    assert power is None and report is not None and str(MIN_WINDOWS) in report["why_not"]
    assert fit_power(knowing, table.measurements, []) == (None, None)


def test_drift_and_failures_do_not_count_as_power(world: Any, table: Table, knowing: Any) -> None:
    """A machine that was slower by a fifth took the energy of a time that was longer by a fifth."""
    rows = meter(world, table, noise=0.0)
    slow = [
        m if m.energy_mj is None else
        replace(m, drift=1.2, energy_mj=1.2 * m.energy_mj, energy_gross_mj=1.2 * (m.energy_gross_mj or 0.0))
        for m in rows
    ]  # fmt: skip
    # The same in another way: what was metered took half as long again as what was timed.
    apart = [
        m if m.energy_mj is None else
        replace(m, energy_run_us=1.5 * (m.latency_us or 0.0), energy_mj=1.5 * m.energy_mj,
                energy_gross_mj=1.5 * (m.energy_gross_mj or 0.0))
        for m in rows
    ]  # fmt: skip
    assert fitted(knowing, apart)[0].weights == pytest.approx(fitted(knowing, rows)[0].weights)
    broken = [replace(m, error="throttled", energy_mj=1e9) for m in rows if m.energy_mj is not None][:5]
    assert fitted(knowing, slow + broken)[0].weights == pytest.approx(fitted(knowing, rows)[0].weights)


def test_predictions_say_fitted_and_add_up(
    world: Any, table: Table, knowing: Any, trained: TrainedPredictor, tmp_path: Path
) -> None:
    power, _ = fitted(knowing, meter(world, table))
    trained.predictor.fitted_power = power
    try:
        trained.predictor.save(tmp_path / "v")
    finally:
        trained.predictor.fitted_power = None
    loaded = Predictor.load(tmp_path / "v")
    assert loaded.fitted_power == power
    told = loaded.predict(sample("mbconv", 3), detail="kernels", confidence=0.9)
    assert told.energy_mj is not None and told.kernels is not None
    assert (told.energy_mj.method, told.energy_mj.scope) == ("fitted", "package")
    overhead = power.kernel_mj(told.overhead_ms, 1.0)
    assert told.energy_mj.value == pytest.approx(sum(k.energy_mj or 0.0 for k in told.kernels) + overhead)
    assert told.energy_mj.gross == pytest.approx(told.energy_mj.value + power.idle_w * told.latency_ms.value)
    assert told.energy_mj.lower < told.energy_mj.value < told.energy_mj.upper
    assert told.energy_mj.upper / told.energy_mj.value < 2.4  # a guess reaches further
    manifest = json.loads((tmp_path / "v/manifest.json").read_text())
    assert set(manifest["power"]["weights"]) == set(TERMS)


def test_training_fits_power_where_a_table_has_energies(world: Any, table: Table, tmp_path: Path) -> None:
    metered = read_table(write_table(tmp_path, table.target, meter(world, table), report=table.manifest.report))
    trained = train(metered, settings=ForestSettings(members=2, rounds=15, depth=3))
    report = trained.report["energy"]
    assert trained.predictor.fitted_power is not None and report["windows"] == 72
    assert report["power"]["unseen_families_mape"] < 0.5 * report["power"]["constant_mape"]
    assert report["holdout"]["windows"] == 30
    assert json.loads(json.dumps(report)) == report


def test_without_windows_energy_stays_a_guess(trained: TrainedPredictor) -> None:
    assert trained.report["energy"] is None
    assert isinstance(trained.predictor.power, PowerGuess)


def test_plans_meter_what_is_timed_as_a_whole_anyway() -> None:
    plan = make_plan(0, 3600.0)
    metered = with_metering(plan, 3600.0, 8.0)
    changed = [(a, b) for a, b in zip(plan, metered, strict=True) if a != b]
    assert len(changed) == WANTED
    assert all(replace(b, mode="network+whole") == a and b.mode == "metered" for a, b in changed)
    splits = [b.split for _, b in changed]
    assert splits.count("composition") >= MIN_WINDOWS and splits.count("holdout") >= 10
    few = [item for item in with_metering(plan, 600.0, 8.0) if item.mode == "metered"]
    assert len(few) == 18  # a quarter of ten minutes
    assert with_metering(plan, 20.0, 8.0) == plan


def test_with_a_share_every_second_network_is_metered() -> None:
    plan = make_plan(0, 280.0, ["fp32", "fp16"])
    found = list(with_metering(plan, 280.0, 2.5, 0.6))
    metered = [index for index, item in enumerate(found) if item.mode == "metered"]
    assert len(metered) == WANTED
    eligible = [i for i, item in enumerate(plan) if item.repeat == 1 and item.mode in ("in_network", "network+whole")]
    assert metered == eligible[: 2 * WANTED : 2]
    assert {found[i].split for i in metered} == {"train", "composition", "holdout"}
    assert [(i.network, i.split, i.repeat) for i in found] == [(i.network, i.split, i.repeat) for i in plan]


def test_weights_of_few_windows_are_shrunk() -> None:
    rng = np.random.default_rng(2)
    terms = rng.random((200, len(TERMS)))
    terms[:, 0] = 1.0
    truth = np.array([10.0, 5.0, 8.0, *([2.0] * (len(TERMS) - 3))])
    power = terms @ truth
    assert fit_weights(terms, power, 1e-9) == pytest.approx(truth, rel=1e-3)
    assert fit_weights(terms, power, np.inf)[1:] == (0.0,) * (len(TERMS) - 1)
    firm = np.array(fit_weights(terms[:10], power[:10], 10.0))
    assert np.all(np.abs(firm[1:]) < truth[1:])


def test_power_is_never_negative_and_errors_of_time_widen_it() -> None:
    weights = (-50.0, *([0.0] * (len(TERMS) - 1)))
    power = FittedPower(weights, 20.0, 5.0, 0.0, Quantiles.of(np.full(40, 0.05)), 1e11, "gpu", "counter", 40)
    assert power.kernel_mj(2.0, 0.3, "Gemm", 1e6) == pytest.approx(2.0)
    certain, unsure = power.factor(np.array([0.0, 0.2]), 0.9)
    assert 1.0 < certain < unsure == pytest.approx(np.exp(np.hypot(np.log(certain), 1.645 * 0.2)), rel=1e-3)
    window = Window("f", "holdout", 40.0, 20.0, 5.0, np.array([2.0]), np.eye(len(TERMS))[:1], 0.0)
    told = describe(power, [window])
    assert told is not None and told["constant_power_mape"] == 0.0 and told["mape"] == pytest.approx(0.95)
    assert describe(power, []) is None


def test_power_survives_json_and_refuses_other_terms() -> None:
    power = FittedPower(
        tuple(map(float, range(len(TERMS)))),
        20.0,
        5.0,
        0.1,
        Quantiles.of(np.full(40, 0.05)),
        1e11,
        "gpu",
        "counter",
        40,
    )
    for asked in ((2.0, 0.3, "Gemm", 1e8), (0.01, 0.9, "Softmax", 1e9), (1.0, 1.0, None, 0.0)):
        slowly = float(power.power_w(terms_of(*asked, 1e11))) * asked[0]
        assert (
            power.kernel_mj(*asked) == pytest.approx(slowly if asked[2] else asked[0] * 1.0, abs=1e-9)
            or asked[2] is None
        )
    data = json.loads(json.dumps(power.to_json()))
    assert FittedPower.from_json(data) == power
    with pytest.raises(ValueError, match="other terms"):
        FittedPower.from_json({**data, "weights": {"constant": 1.0}})
