"""Regressors: log of measured time over the baseline, one forest per kernel kind.

Kinds that were measured too rarely for a forest of their own share one with the other rare kinds of their feature
group, where the kind is a feature. A regressor says what it predicts, and how sure it is: the disagreement of its
members, and the error that members made on kernels that they had not seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from graphs.kernels import Kernel
from predictors._boosting import Features, Floats, Forest, ForestSettings, grow
from predictors._smoothing import Smooth, fit_smooth
from predictors.context import COLUMNS as CONTEXT_COLUMNS
from predictors.context import Context, context_columns
from predictors.features import GROUPS, FeatureGroup, group_of
from predictors.observations import Indices, Observations
from predictors.ood import Familiarity

#: Distinct kernels from which on a kind has a forest of its own.
OWN_FOREST = 30

#: Distinct kernels from which on anything is learned at all.
LEARNABLE = 6

#: Rows that the mean over all kinds of a regressor counts for when the centre of one is found.
_CENTRE_PRIOR = 0.5

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
    smooth: Smooth
    #: Weight of ``smooth`` in the mean of the two.
    blend: float
    #: Centre of the target by kind, which the forest's output is relative to.
    centres: Mapping[str, float]
    #: Typical log error on kernels that a member had not seen.
    sigma: float
    familiarity: Familiarity
    #: The one member that answers; None for the mean of all.
    member: int | None = None

    def features(self, kernels: Sequence[Kernel], work: Floats, contexts: Sequence[Context]) -> Features:
        """The group's columns, one per kind where there are several, and the context's."""
        return np.concatenate((_features(self.group, self.kinds, kernels, work), context_columns(contexts)), axis=1)

    @property
    def columns(self) -> int:
        """Columns of ``features``."""
        return len(self.group.all_columns) + (len(self.kinds) if len(self.kinds) > 1 else 0) + len(CONTEXT_COLUMNS)

    def members(self, features: Features) -> Floats:
        """What each member says relative to the centre, ``[n, members]``."""
        said = self.forest.predict(features)
        return said if self.blend == 0.0 else (1.0 - self.blend) * said + self.blend * self.smooth.predict(features)

    def answer(self, kernels: Sequence[Kernel], work: Floats, contexts: Sequence[Context]) -> Answers:
        """Predict kernels of ``kinds`` in their contexts; ``work`` is theirs, ``[n, 4]``."""
        features = self.features(kernels, work, contexts)
        members = self.members(features)
        sigma = np.hypot(members.std(axis=1, ddof=1), self.sigma)
        mean = members.mean(axis=1) if self.member is None else members[:, self.member]
        centre = np.array([self.centres[kernel.kind] for kernel in kernels])
        strange = self.familiarity.strange(features[:, : -len(CONTEXT_COLUMNS)])
        return Answers(centre + mean, sigma, strange)


@dataclass(frozen=True, slots=True)
class Trained:
    """Regressors and what they say about the rows they learned from."""

    regressors: tuple[Regressor, ...]
    #: Log of time over the baseline by every member, ``[rows, members]``; NaN where a row's kind is too rare to learn.
    members: Floats
    #: The error that is to be expected of them on kernels that they have not seen, ``[rows]``.
    sigma: Floats
    #: Which member has not seen any network of the row's family, ``[rows]``.
    fold: Indices
    #: The same by family.
    folds: Mapping[str, int]

    @property
    def unseen(self) -> Floats:
        """By the member that has seen no network of the row's family, ``[rows]``."""
        return np.asarray(self.members[np.arange(len(self.fold)), self.fold])


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
    members, sigma = np.full((len(rows), settings.members), np.nan), np.full(len(rows), np.nan)
    kinds = np.array([kernel.kind for kernel in rows.kernels])
    sizes = np.bincount(rows.network, minlength=len(rows.families)).astype(np.float64)
    folds = folds_of(rows.families, sizes, settings.members, seed)
    fold = np.array([folds[family] for family in rows.families], dtype=np.intp)[rows.network]
    alone = _in_one_fold(rows, fold)
    weight = np.sqrt(rows.time_us * rows.count) * (1.0 if weights is None else weights)
    shared = share_kinds(rows.kernels)
    places = {name: np.flatnonzero(np.isin(kinds, mine)[rows.which]) for name, mine in shared.items()}

    def learn(name: str) -> tuple[Regressor, Floats, Floats]:
        mine = places[name]
        part = _Part(rows, mine, log_ratio[mine], weight[mine], fold[mine], alone[mine])
        return _train(name, shared[name], part, work, seed, settings)

    largest_first = sorted(shared, key=lambda name: -len(places[name]))
    # Kinds are learned side by side; linear algebra that takes all processors for itself too only gets in the way.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        parts = dict(zip(largest_first, pool.map(learn, largest_first), strict=True))
    for name, (_, said, expected) in parts.items():
        members[places[name]], sigma[places[name]] = said, expected
    return Trained(tuple(parts[name][0] for name in shared), members, sigma, fold, folds)


def folds_of(families: Sequence[str], sizes: Floats, members: int, seed: int) -> dict[str, int]:
    """A fold for every family of networks, so that the folds are of about one size; ``sizes`` are the networks'.

    Networks of one family resemble each other more than one that a user asks for resembles any of them, so that errors
    on other networks of the same family would promise too much.
    """
    load: dict[str, float] = {}
    for family, size in zip(families, sizes.tolist(), strict=True):
        load[family] = load.get(family, 0.0) + size
    order = np.random.default_rng(seed).permutation(sorted(load)).tolist()
    totals = np.zeros(members)
    folds: dict[str, int] = {}
    for family in sorted(order, key=lambda name: -load[name]):
        folds[family] = int(np.argmin(totals))
        totals[folds[family]] += load[family]
    return folds


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows that one regressor learns from: ``mine`` of all, and what belongs to them."""

    rows: Observations
    mine: Indices
    target: Floats
    weight: Floats
    fold: Indices
    #: Rows of kernels that no other fold has.
    alone: NDArray[np.bool_]


def _in_one_fold(rows: Observations, fold: Indices) -> NDArray[np.bool_]:
    """Which rows are of kernels that occur in one fold only, so that its member has not seen the like, ``[rows]``."""
    pairs = np.unique(np.stack((rows.which, fold), axis=1), axis=0)
    return np.asarray(np.bincount(pairs[:, 0], minlength=len(rows.kernels))[rows.which] == 1)


def _train(
    name: str, kinds: tuple[str, ...], part: _Part, work: Floats, seed: int, settings: ForestSettings
) -> tuple[Regressor, Floats, Floats]:
    """The regressor, what its members say of the rows ``[n, members]``, and the error to be expected ``[n]``."""
    group = group_of(kinds[0])
    target = part.target
    distinct, place = np.unique(part.rows.which[part.mine], return_inverse=True)
    kernels = [part.rows.kernels[i] for i in distinct]
    table = _features(group, kinds, kernels, work[distinct])
    contexts = context_columns([part.rows.contexts[i] for i in part.mine])
    features = np.concatenate((table[place], contexts), axis=1)
    weight = np.clip(part.weight / max(float(part.weight.mean()), 1e-12), 0.05, 20.0)
    centres = _centres([kernels[i].kind for i in place], target, weight)
    centre = np.array([centres[kernels[i].kind] for i in place])
    # A fold that has nothing to learn from would make its member worthless.
    whole = len(np.unique(part.fold)) == settings.members
    fold = part.fold if whole else np.arange(len(part.mine)) % settings.members
    forest = grow(features, target - centre, weight, fold, settings, seed)
    smooth = fit_smooth(features, target - centre, weight, fold, settings.members, forest.importance(), seed)
    each = np.arange(len(part.mine)), fold
    stepped, curved = forest.predict(features), smooth.predict(features)
    blend = _blend(stepped[each], curved[each], target - centre, weight)
    members = centre[:, None] + (1.0 - blend) * stepped + blend * curved
    missed = np.abs(target - members[each])
    new = part.alone if int(part.alone.sum()) >= LEARNABLE else np.ones(len(missed), dtype=bool)
    typical = max(_NORMAL * float(np.median(missed[new])), 0.01)
    regressor = Regressor(name, group, kinds, forest, smooth, blend, centres, typical, Familiarity.of(table))
    return regressor, members, np.hypot(members.std(axis=1, ddof=1), typical)


def _centres(kinds: Sequence[str], target: Floats, weight: Floats) -> dict[str, float]:
    """Weighted mean of the target by kind, drawn towards that of all where a kind has few rows."""
    overall = float(np.average(target, weights=weight))
    names = np.array(kinds)
    centres = {}
    for kind in sorted(set(kinds)):
        mine = names == kind
        n = int(mine.sum())
        mean = float(np.average(target[mine], weights=weight[mine]))
        centres[kind] = (n * mean + _CENTRE_PRIOR * overall) / (n + _CENTRE_PRIOR)
    return centres


def _blend(stepped: Floats, curved: Floats, target: Floats, weight: Floats) -> float:
    """The weight of the smooth part that errs least on unseen rows."""
    candidates = np.linspace(0.0, 1.0, 11)
    errors = [np.average(np.abs((1.0 - b) * stepped + b * curved - target), weights=weight) for b in candidates]
    return float(candidates[int(np.argmin(errors))])


def by_kind(regressors: Sequence[Regressor]) -> Mapping[str, Regressor]:
    """Who answers for a kernel kind."""
    return {kind: regressor for regressor in regressors for kind in regressor.kinds}


def group_named(name: str) -> FeatureGroup:
    """A feature group by its name; LookupError for an unknown one."""
    return GROUPS[name]
