"""Training: a lookup table in, a predictor with an honest report out.

Kernels measured inside the networks of the splits ``train`` and ``composition`` train the regressors and fill the
table. Composition and intervals are fitted on whole networks of ``composition``, whose kernels are predicted for that
by forest members that never saw them. Nothing at all is fitted on ``holdout``, which the report is about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.lowering import LoweringProfile
from lookup_tables.tables import Table
from predictors import evaluation
from predictors._boosting import ForestSettings
from predictors.baseline import Baseline
from predictors.composition import Composition, fit
from predictors.context import HOT
from predictors.cross_validation import CrossValidation
from predictors.energy.fitting import fit_power
from predictors.errors import NotEnoughMeasurements
from predictors.estimates import Estimator
from predictors.intervals import CalibrationNetwork, Intervals, calibrate
from predictors.networks import kernels_of_network
from predictors.observations import NetworkTimes, Observations, family_of, networks_of
from predictors.predictor import Predictor
from predictors.regressors import Trained, by_kind, train_regressors
from predictors.roofline import Roofline
from predictors.rough import RoughTime
from predictors.table_source import TableSource
from predictors.work import work_of

Floats = NDArray[np.float64]

#: Called with the share that is done and what is being done.
Progress = Callable[[float, str], None]

#: Splits that regressors and table learn from.
LEARNING = ("train", "composition")

#: Distinct kernels without which there is nothing to train on.
MIN_KERNELS = 30

#: Whole networks from which on intervals are calibrated on them alone.
_ENOUGH_WHOLES = 30


@dataclass(frozen=True)
class TrainedPredictor:
    """A predictor that is not stored yet, with the report of its training."""

    predictor: Predictor

    @property
    def report(self) -> Mapping[str, Any]:
        """Honest errors, noise floor, coverage by source and what else training found."""
        return self.predictor.report

    def save(self, folder: Path) -> None:
        """Write the artifact into ``folder``; see `predictors.artifacts`."""
        self.predictor.save(folder)


@dataclass(frozen=True)
class _Learned:
    """The parts that come from kernels alone."""

    rows: Observations
    estimator: Estimator
    trained: Trained
    unseen: CrossValidation
    #: Log microseconds and sigma of every row by those who have not seen its family; NaN where its kind is too rare.
    log_us: Floats
    sigma: Floats


def train(
    table: Table, *, seed: int = 0, progress: Progress | None = None, settings: ForestSettings | None = None
) -> TrainedPredictor:
    """Train on a lookup table. The peaks in its report (``peaks``), if any, make the baseline.

    Raises NotEnoughMeasurements where fewer than `MIN_KERNELS` different kernels were measured inside networks.
    """
    begun = time.perf_counter()
    tell = progress or (lambda _share, _what: None)
    tell(0.0, "reading measurements")
    networks = networks_of(table.measurements)
    learned = _learn(table, networks, seed, settings, tell)
    tell(0.8, "fitting composition and intervals")
    composition = _fit_composition([n for n in networks if n.split == "composition"])
    composition, intervals = _calibrate(learned, composition, networks, table.target.lowering)
    predictor = Predictor(
        target=table.target,
        estimator=learned.estimator,
        composition=composition,
        intervals=intervals,
        tables=(table.manifest.version,),
        protocol=max(table.manifest.protocols, default=1),
        report={},
    )
    predictor.fitted_power, energy = fit_power(predictor, table.measurements, networks)
    tell(0.9, "testing on networks that nothing was trained on")
    rest = {"energy": energy, "seed": seed, "seconds": time.perf_counter() - begun}
    predictor.report = _report(predictor, learned, networks) | rest
    tell(1.0, "trained")
    return TrainedPredictor(predictor)


def _learn(
    table: Table, networks: Sequence[NetworkTimes], seed: int, settings: ForestSettings | None, tell: Progress
) -> _Learned:
    rows = Observations.inside(networks, LEARNING)
    if len(rows.kernels) < MIN_KERNELS:
        raise NotEnoughMeasurements(
            f"the table has {len(rows.kernels)} different kernels measured inside networks, and {MIN_KERNELS} are "
            "needed; profile the target for longer"
        )
    work = work_of(rows.kernels)
    launch_us = float(np.clip(np.quantile(rows.time_us, 0.05), 0.2, 50.0))
    baseline = Baseline.from_peaks(table.manifest.report.get("peaks"), launch_us)
    base = np.log(baseline.time_us(work))[rows.which]
    log_ratio = np.log(rows.time_us) - base
    tell(0.1, f"growing regressors on {len(rows):,} kernels")
    rough = RoughTime.fitted(baseline, rows, work, log_ratio)
    rows = rough.in_runs(rows, work)
    trained = train_regressors(rows, log_ratio, work, seed=seed, settings=settings)
    roofline = Roofline.fitted([rows.kernels[i].kind for i in rows.which], log_ratio)
    regressing = Estimator(baseline, by_kind(trained.regressors), TableSource.empty(), roofline, rough)
    alone = Observations.alone(table.measurements, LEARNING)
    hot_log_us = regressing.regress(alone.kernels, work_of(alone.kernels), [HOT] * len(alone.kernels))[0]
    entries = TableSource.of(rows, trained.members.mean(axis=1) + base, alone, hot_log_us[alone.which])
    unseen = CrossValidation.of(regressing, trained, rows, base, alone)
    return _Learned(rows, replace(regressing, table=entries), trained, unseen, *unseen.rows(rows, base))


def _fit_composition(networks: Sequence[NetworkTimes]) -> Composition:
    usable = [n for n in networks if n.is_complete and n.whole_us is not None]
    return fit([np.array(n.kernel_us) for n in usable], [n.whole_us or 0.0 for n in usable])


def _calibrate(
    learned: _Learned, composition: Composition, networks: Sequence[NetworkTimes], profile: LoweringProfile
) -> tuple[Composition, Intervals]:
    """The residual bias and the intervals, from networks of ``composition`` and, while these are few, ``train``."""
    measured = [n for n in networks if n.split in LEARNING and n.wholes]
    if len(measured) < _ENOUGH_WHOLES:  # the whole of the others is what composition makes of the measured kernels
        measured += [n for n in networks if n.split in LEARNING and not n.wholes and n.is_complete]
    known = [(n, kernels) for n in measured if (kernels := kernels_of_network(n, profile)) is not None]
    estimates = learned.unseen.networks([(n.context, kernels) for n, kernels in known])
    cases = []
    for (network, _), told in zip(known, estimates, strict=True):
        times, sigma = np.array([e.time_us for e in told]), np.array([e.sigma for e in told])
        # One measurement, not their mean: an interval is for what a user will measure once.
        whole = network.wholes[0][0] if network.wholes else composition.whole_us(np.array(network.kernel_us))
        cases.append((times, sigma, whole, bool(network.wholes)))
    errors = np.array([np.log(whole / composition.whole_us(times)) for times, _, whole, direct in cases if direct])
    composition = composition.with_residual(errors)
    calibration = [
        CalibrationNetwork(times, sigma, float(np.log(whole / composition.whole_us(times))))
        for times, sigma, whole, _ in cases
    ]
    there = np.isfinite(learned.log_us)
    scores = np.abs(np.log(learned.rows.time_us) - learned.log_us)[there] / learned.sigma[there]
    kinds = [learned.rows.kernels[i].kind for i in learned.rows.which[there]]
    return composition, calibrate(kinds, scores, calibration)


def _report(predictor: Predictor, learned: _Learned, networks: Sequence[NetworkTimes]) -> dict[str, Any]:
    frozen = evaluation.frozen_set(networks)
    results = evaluation.evaluate_wholes(predictor, frozen)
    rows = learned.rows
    fitting = [n for n in networks if n.split == "composition"]
    return {
        "accuracy": evaluation.describe_wholes(results),
        "coverage": evaluation.describe_sources(results),
        "kernels": evaluation.describe_kernels(
            [rows.kernels[i].kind for i in rows.which], rows.time_us, np.exp(learned.log_us)
        ),
        "families": evaluation.describe_groups(results, lambda result: family_of(result.context)),
        "networks": evaluation.list_wholes(results),
        "out_of_distribution": evaluation.describe_strange(results),
        "composition": {**predictor.composition.to_json(), "ablation": evaluation.ablate_composition(fitting, frozen)},
        "correlation": predictor.intervals.correlation,
        "measured": {
            "rows": len(rows), "kernels": len(rows.kernels), "kinds": len({k.kind for k in rows.kernels}),
            "networks": len(networks), "regressors": len(learned.trained.regressors),
            "entries": len(learned.estimator.table),
        },
        **evaluation.describe_noise(networks),
    }  # fmt: skip
