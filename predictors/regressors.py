"""Regressors: log of measured time over the baseline, one forest per kernel kind.

Kinds that were measured too rarely for a forest of their own share one with the other rare kinds of their feature
group, where the kind is a feature. A regressor says what it predicts, and how sure it is: the disagreement of its
members, and the error that members made on kernels that they had not seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors._boosting import Features, Floats, Forest, ForestSettings, grow
from predictors.features import GROUPS, FeatureGroup, group_of
from predictors.observations import Indices, Observations
from predictors.ood import Familiarity

#: Distinct kernels from which on a kind has a forest of its own.
OWN_FOREST = 60

#: Distinct kernels from which on anything is learned at all.
LEARNABLE = 6

#: The normal distribution's ratio of standard deviation to median absolute deviation.
_NORMAL = 1.4826


@dataclass(frozen=True, slots=True)
class Answers:
    """What a regressor says about ``n`` kernels."""

    #: Log of time over the baseline, ``[n]``.
    log_ratio: Floats
    #: Standard deviation of the error that is to be expected of it, ``[n]``.
    sigma: Floats
    #: Kernels unlike any that were measured, ``[n]`` booleans.
    strange: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Regressor:
    """A forest for one kernel kind, or for the rare kinds of a feature group."""

    name: str
    group: FeatureGroup
    kinds: tuple[str, ...]
    forest: Forest
    #: Weighted mean of the target, which the forest's output is relative to.
    centre: float
    #: Typical log error on kernels that a member had not seen.
    sigma: float
    familiarity: Familiarity

    def features(self, kernels: Sequence[Kernel], work: Floats) -> Features:
        """The group's columns, and for several kinds one column for each that says whether it is that kind."""
        return _features(self.group, self.kinds, kernels, work)

    def answer(self, kernels: Sequence[Kernel], work: Floats) -> Answers:
        """Predict kernels of ``kinds``; ``work`` is theirs, ``[n, 4]``."""
        features = self.features(kernels, work)
        members = self.forest.predict(features)
        sigma = np.hypot(members.std(axis=1, ddof=1), self.sigma)
        return Answers(self.centre + members.mean(axis=1), sigma, self.familiarity.strange(features))


@dataclass(frozen=True, slots=True)
class Trained:
    """Regressors and what they say about the rows they learned from, each row by the member that had not seen it."""

    regressors: tuple[Regressor, ...]
    #: Out-of-fold log of time over the baseline, ``[rows]``; NaN where a row's kind is too rare to learn from.
    unseen: Floats
    #: The error that was to be expected of it, ``[rows]``.
    sigma: Floats


def _features(group: FeatureGroup, kinds: tuple[str, ...], kernels: Sequence[Kernel], work: Floats) -> Features:
    columns = group.matrix(kernels, work)
    if len(kinds) == 1:
        return columns
    place = {kind: i for i, kind in enumerate(kinds)}
    one_hot = np.zeros((len(kernels), len(kinds)), dtype=np.float32)
    one_hot[np.arange(len(kernels)), [place[k.kind] for k in kernels]] = 1.0
    return np.concatenate((columns, one_hot), axis=1)


def share_kinds(kernels: Sequence[Kernel]) -> dict[str, tuple[str, ...]]:
    """Which kinds learn together, by the name of the regressor."""
    counts: dict[str, int] = {}
    for kernel in kernels:
        counts[kernel.kind] = counts.get(kernel.kind, 0) + 1
    shared: dict[str, list[str]] = {}
    for kind, count in sorted(counts.items()):
        shared.setdefault(kind if count >= OWN_FOREST else f"rare-{group_of(kind).name}", []).append(kind)
    return {name: tuple(kinds) for name, kinds in shared.items() if sum(counts[kind] for kind in kinds) >= LEARNABLE}


def train_regressors(
    rows: Observations,
    log_ratio: Floats,
    work: Floats,
    *,
    seed: int = 0,
    settings: ForestSettings | None = None,
    weights: Floats | None = None,
) -> Trained:
    """Learn ``log_ratio [rows]``; ``work`` is that of the distinct kernels, ``weights [rows]`` multiplies the rows'."""
    settings = settings or ForestSettings()
    unseen, sigma = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    kinds = np.array([kernel.kind for kernel in rows.kernels])
    folds = _folds(rows, settings.members, seed)
    weight = np.sqrt(rows.time_us * rows.count) * (1.0 if weights is None else weights)
    shared = share_kinds(rows.kernels)
    places = {name: np.flatnonzero(np.isin(kinds, members)[rows.which]) for name, members in shared.items()}

    def learn(name: str) -> Trained:
        mine = places[name]
        return _train(name, shared[name], rows, mine, log_ratio[mine], weight[mine], work, folds, seed, settings)

    largest_first = sorted(shared, key=lambda name: -len(places[name]))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        parts = dict(zip(largest_first, pool.map(learn, largest_first), strict=True))
    for name, part in parts.items():
        unseen[places[name]], sigma[places[name]] = part.unseen, part.sigma
    return Trained(tuple(parts[name].regressors[0] for name in shared), unseen, sigma)


def _folds(rows: Observations, members: int, seed: int) -> Indices:
    """A fold for every distinct kernel, so that all of its rows are unseen by the same member."""
    return np.random.default_rng(seed).permutation(len(rows.kernels)) % members


def _train(
    name: str, kinds: tuple[str, ...], rows: Observations, mine: Indices, target: Floats, weight: Floats, work: Floats,
    folds: Indices, seed: int, settings: ForestSettings,
) -> Trained:  # fmt: skip
    group = group_of(kinds[0])
    distinct, place = np.unique(rows.which[mine], return_inverse=True)
    kernels = [rows.kernels[i] for i in distinct]
    table = _features(group, kinds, kernels, work[distinct])
    features = table[place]
    weight = np.clip(weight / max(float(weight.mean()), 1e-12), 0.05, 20.0)
    centre = float(np.average(target, weights=weight))
    fold = folds[rows.which[mine]]
    # A fold that has nothing to learn from would make its member worthless.
    fold = fold if len(np.unique(fold)) == settings.members else np.arange(len(mine)) % settings.members
    if len(distinct) < OWN_FOREST:
        settings = replace(settings, rounds=settings.rounds // 2)
    forest = grow(features, target - centre, weight, fold, settings, seed)
    members = forest.predict(features)
    unseen = centre + members[np.arange(len(mine)), fold]
    typical = max(_NORMAL * float(np.median(np.abs(target - unseen))), 0.01)
    regressor = Regressor(name, group, kinds, forest, centre, typical, Familiarity.of(table))
    return Trained((regressor,), unseen, np.hypot(members.std(axis=1, ddof=1), typical))


def by_kind(regressors: Sequence[Regressor]) -> Mapping[str, Regressor]:
    """Who answers for a kernel kind."""
    return {kind: regressor for regressor in regressors for kind in regressor.kinds}


def group_named(name: str) -> FeatureGroup:
    """A feature group by its name; LookupError for an unknown one."""
    return GROUPS[name]
