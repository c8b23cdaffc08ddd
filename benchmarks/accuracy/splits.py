"""Three ways of leaving networks out: at random, whole families, and the largest ones.

Random is what a plan's holdout is: other networks of the same families. The other two train again without the
families, or without all that is large, and test on every network that was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lookup_tables import Table
from predictors import Predictor, train
from predictors.evaluation import (
    WholeResult,
    describe_groups,
    describe_kernels,
    describe_strange,
    describe_wholes,
    evaluate_wholes,
    frozen_set,
    list_wholes,
    size_class,
)
from predictors.observations import NetworkTimes, family_of, networks_of
from predictors.regressors import folds_of

#: Parts that the families are divided into.
FOLDS = 6

#: Networks above this quantile of their kernels' total time are large.
LARGE = 0.85


def describe(predictor: Predictor, networks: Iterable[NetworkTimes]) -> dict[str, Any]:
    """Errors on networks, by family, size and kernel kind."""
    networks = list(networks)
    return _described(evaluate_wholes(predictor, networks), [_kernels(predictor, networks)])


def random_split(predictor: Predictor, table: Table) -> dict[str, Any]:
    """The holdout of the plan, on which nothing was fitted."""
    return describe(predictor, frozen_set(networks_of(table.measurements)))


def families_held_out(table: Table, tell: Callable[[str], None]) -> dict[str, Any]:
    """Every family predicted by a predictor that saw nothing of it."""
    families = [family_of(m.context) for m in table.measurements]
    folds = folds_of(families, np.ones(len(families)), FOLDS, seed=1)
    fold = np.array([folds[family] for family in families])
    results, kernels = [], []
    for k in range(FOLDS):
        tell(f"families, part {k + 1} of {FOLDS}")
        predictor = train(table.only(fold != k)).predictor
        networks = networks_of(table.only(fold == k).measurements)
        results += evaluate_wholes(predictor, [n for n in networks if n.wholes])
        kernels.append(_kernels(predictor, networks))
    return _described(results, kernels)


def sizes_extrapolated(table: Table) -> dict[str, Any]:
    """Large networks predicted by a predictor that saw only smaller ones."""
    networks = networks_of(table.measurements)
    total = {n.context: sum(n.kernel_us) or n.whole_us or 0.0 for n in networks}
    limit = float(np.quantile(list(total.values()), LARGE))
    large = np.array([total.get(m.context, 0.0) > limit for m in table.measurements])
    predictor = train(table.only(~large)).predictor
    found = describe(predictor, [n for n in networks_of(table.only(large).measurements) if n.wholes])
    return {"limit_us": limit, **found}


def _described(results: list[WholeResult], kernels: list[tuple[list[str], list[float], list[float]]]) -> dict[str, Any]:
    kinds = [kind for part in kernels for kind in part[0]]
    measured, predicted = (np.array([t for part in kernels for t in part[i]]) for i in (1, 2))
    return {
        "wholes": describe_wholes(results),
        "families": describe_groups(results, lambda r: family_of(r.context)),
        "sizes": describe_groups(results, lambda r: size_class(r.measured_us / 1e3)),
        "out_of_distribution": describe_strange(results),
        "kernels": describe_kernels(kinds, measured, predicted) if kinds else {},
        "networks": list_wholes(results),
    }


def _kernels(predictor: Predictor, networks: Iterable[NetworkTimes]) -> tuple[list[str], list[float], list[float]]:
    """Kind, measured and predicted microseconds of all kernels that were measured inside the networks."""
    complete = [n for n in networks if n.is_complete]
    told = predictor.estimate_many([n.kernels for n in complete])
    pairs = [
        (kernel.kind, measured, estimate.time_us)
        for network, estimates in zip(complete, told, strict=True)
        for kernel, measured, estimate in zip(network.kernels, network.kernel_us, estimates, strict=True)
        if estimate.source != "unsupported"
    ]
    kinds, measured, predicted = zip(*pairs, strict=True) if pairs else ((), (), ())
    return list(kinds), list(measured), list(predicted)
