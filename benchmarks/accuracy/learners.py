"""Regressors compared on the same kernels, features and folds, families left out.

A sample of the table's networks is taken whole, so that errors can also be summed up to networks. Every learner
predicts each kernel from networks of other families; what it is trained on is the log of time over the analytical
baseline, except where its method says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import nn_meter
from graphs.kernels import Kernel
from lookup_tables import Table
from predictors._boosting import ForestSettings, grow
from predictors._smoothing import fit_smooth
from predictors.baseline import Baseline
from predictors.context import context_columns
from predictors.features import group_of
from predictors.observations import Observations, networks_of
from predictors.regressors import folds_of
from predictors.rough import RoughTime
from predictors.training import LEARNING
from predictors.work import FLOPS, work_of

Floats = NDArray[np.float64]

#: Networks of the sample, and kernels of a kind that are learned from at least.
NETWORKS, FEWEST = 500, 60
_FOLDS = 4


@dataclass(frozen=True)
class Kind:
    """The kernels of one kind: features, target and what belongs to them, ``[rows]``."""

    kernels: list[Kernel]
    features: NDArray[np.float32]
    target: Floats
    weight: Floats
    fold: NDArray[np.intp]
    #: Log microseconds of the baseline, and FLOPs.
    base: Floats
    flops: Floats

    @property
    def log_us(self) -> Floats:
        return self.target + self.base


#: What a learner says of the rows of a fold, as log microseconds, having learned from the others.
Learner = Callable[[Kind, NDArray[np.bool_]], Floats]


def compare(table: Table, tell: Callable[[str], None]) -> dict[str, Any]:
    """Errors of every learner: kernels weighted by time, and networks summed up."""
    rows, baseline = _sample(table), Baseline.from_peaks(table.manifest.report.get("peaks"))
    work = work_of(rows.kernels)
    log_ratio = np.log(rows.time_us / baseline.time_us(work)[rows.which])
    rows = RoughTime.fitted(baseline, rows, work, log_ratio).in_runs(rows, work)
    kinds = _kinds(rows, baseline)
    found = {}
    for name, learner in LEARNERS.items():
        tell(f"regressors: {name}")
        predicted = np.full(len(rows), np.nan)
        for place, kind in kinds:
            said = np.empty(len(place))
            for fold in range(_FOLDS):
                test = kind.fold == fold
                if test.any() and (~test).any():
                    said[test] = learner(kind, test)
            predicted[place] = np.exp(said)
        found[name] = _errors(rows, predicted)
    return {"networks": NETWORKS, "rows": len(rows), "learners": found}


def _sample(table: Table) -> Observations:
    networks = [n for n in networks_of(table.measurements) if n.split in LEARNING and n.kernels]
    chosen = np.random.default_rng(0).permutation(len(networks))[:NETWORKS]
    return Observations.inside([networks[i] for i in chosen], LEARNING)


def _kinds(rows: Observations, baseline: Baseline) -> list[tuple[NDArray[np.intp], Kind]]:
    sizes = np.bincount(rows.network, minlength=len(rows.families)).astype(np.float64)
    folds = folds_of(rows.families, sizes, _FOLDS, seed=0)
    fold = np.array([folds[f] for f in rows.families], dtype=np.intp)[rows.network]
    names = np.array([kernel.kind for kernel in rows.kernels])[rows.which]
    parts = []
    for name in np.unique(names):
        place = np.flatnonzero(names == name)
        if len(place) >= FEWEST and len(np.unique(fold[place])) == _FOLDS:
            kernels = [rows.kernels[i] for i in rows.which[place]]
            work = work_of(kernels)
            base = np.log(baseline.time_us(work))
            context = context_columns([rows.contexts[i] for i in place])
            features = np.concatenate((group_of(str(name)).matrix(kernels, work), context), axis=1)
            weight = np.sqrt(rows.time_us[place] * rows.count[place])
            target = np.log(rows.time_us[place]) - base
            parts.append((place, Kind(kernels, features, target, weight, fold[place], base, work[:, FLOPS])))
    return parts


def _errors(rows: Observations, predicted: Floats) -> dict[str, float]:
    known = np.isfinite(predicted)
    time, error = rows.time_us[known], np.abs(predicted[known] / rows.time_us[known] - 1.0)
    total = np.bincount(rows.network[known], rows.time_us[known] * rows.count[known])
    said = np.bincount(rows.network[known], predicted[known] * rows.count[known])
    there = total > 0
    wholes = np.abs(said[there] / total[there] - 1.0)
    return {
        "kernels_mape_by_time": float(np.average(error, weights=time)), "kernels_median": float(np.median(error)),
        "networks_mape": float(wholes.mean()), "networks_median": float(np.median(wholes)),
    }  # fmt: skip


def _forest(kind: Kind, test: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """What boosted trees say of the test rows, and what mattered to them."""
    settings = ForestSettings(members=1)
    train = ~test
    nobody = np.full(int(train.sum()), settings.members)  # a fold that no member leaves out
    centre = float(np.average(kind.target[train], weights=kind.weight[train]))
    forest = grow(kind.features[train], kind.target[train] - centre, _scaled(kind.weight[train]), nobody, settings, 0)
    return centre + forest.predict(kind.features[test])[:, 0], forest.importance()


def _boosted(kind: Kind, test: NDArray[np.bool_]) -> Floats:
    return _forest(kind, test)[0] + kind.base[test]


def _smooth(kind: Kind, test: NDArray[np.bool_]) -> Floats:
    """A Gaussian process on a subset of centres, features stretched by the trees' importance."""
    train = ~test
    importance = _forest(kind, test)[1]
    centre = float(np.average(kind.target[train], weights=kind.weight[train]))
    fold = np.arange(int(train.sum())) % 2  # both halves' members answer
    fitted = fit_smooth(
        kind.features[train], kind.target[train] - centre, _scaled(kind.weight[train]), fold, 2, importance, 0
    )
    return centre + fitted.predict(kind.features[test]).mean(axis=1) + kind.base[test]


def _both(kind: Kind, test: NDArray[np.bool_]) -> Floats:
    return 0.5 * (_boosted(kind, test) + _smooth(kind, test))


def _scikit(make: Callable[[], Any], *, scaled: bool = False, weighted: bool = True) -> Learner:
    def learn(kind: Kind, test: NDArray[np.bool_]) -> Floats:
        train = ~test
        features = kind.features.astype(np.float64)
        if scaled:
            mean, spread = features[train].mean(axis=0), features[train].std(axis=0)
            features = np.where(spread > 1e-6, (features - mean) / np.maximum(spread, 1e-6), 0.0)
        model = make()
        given = {"sample_weight": _scaled(kind.weight[train])} if weighted else {}
        model.fit(features[train], kind.target[train], **given)
        return np.asarray(model.predict(features[test])) + kind.base[test]

    return learn


def _random_forest() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(100, max_features=0.5, n_jobs=-1, random_state=0)


def _extra_trees() -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(100, max_features=0.5, n_jobs=-1, random_state=0)


def _perceptrons() -> Any:
    from sklearn.ensemble import BaggingRegressor
    from sklearn.neural_network import MLPRegressor

    one = MLPRegressor((64, 64), alpha=1e-3, early_stopping=True, max_iter=200, random_state=0)
    return BaggingRegressor(one, 3, bootstrap=False, random_state=0)


def _neighbours() -> Any:
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor(6, weights="distance")


def _flops_linear(kind: Kind, test: NDArray[np.bool_]) -> Floats:
    """Time as FLOPs times a rate plus a constant, by least squares on relative errors."""
    time = np.exp(kind.log_us)
    columns = np.stack((kind.flops, np.ones(len(time))), axis=1) / time[:, None]
    rate, constant = np.linalg.lstsq(columns[~test], np.ones(int((~test).sum())), rcond=None)[0]
    return np.log(np.maximum(rate * kind.flops[test] + constant, 0.1))


def _roofline(kind: Kind, test: NDArray[np.bool_]) -> Floats:
    return np.asarray(kind.base[test] + np.median(kind.target[~test]))


def _published(kind: Kind, test: NDArray[np.bool_]) -> Floats:
    return nn_meter.learn(kind.kernels, np.exp(kind.log_us), kind.flops, test)


def _scaled(weight: Floats) -> Floats:
    return np.clip(weight / max(float(weight.mean()), 1e-12), 0.05, 20.0)


LEARNERS: Mapping[str, Learner] = {
    "boosted trees and Gaussian process (ours)": _both,
    "boosted trees (XGBoost)": _boosted,
    "Gaussian process on 1000 centres": _smooth,
    "random forest": _scikit(_random_forest),
    "extra trees": _scikit(_extra_trees),
    "three perceptrons": _scikit(_perceptrons, scaled=True, weighted=False),
    "nearest neighbours": _scikit(_neighbours, scaled=True, weighted=False),
    "nn-Meter's features and forests": _published,
    "roofline, one factor per kind": _roofline,
    "linear in FLOPs per kind": _flops_linear,
}
