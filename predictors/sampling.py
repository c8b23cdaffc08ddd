"""Sampling plans: which synthetic networks to measure, in which order, and what each measurement is for.

A plan is a value that `profilers` carries out. It is made so that every prefix is a balanced sample, since a run stops
when its time is up: families alternate by weight, and what composition terms and the honest error are fitted and
tested on is spread evenly. The first items lean towards convolutional networks, which most people ask for first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from graphs.spaces import FAMILIES, Family
from lookup_tables import Plan, PlanItem

#: More items than a machine measures in a second: a plan must not run out before its budget does.
ITEMS_PER_SECOND = 6
MAX_ITEMS = 50_000

#: One in so many items is for composition, for the honest error, or measured kernel by kernel.
COMPOSITION_EVERY = 6
HOLDOUT_EVERY = 9
ISOLATED_EVERY = 120

#: Until the first number of items the early weights hold, from the second on the later ones.
EARLY, LATE = 140, 360

#: Seeds of a plan's networks lie in a range of its own; what they are for decides their place in it.
SEEDS_PER_PLAN = 100_000
_PLACE = {"train": 0, "composition": 40_000, "repeated": 65_000, "holdout": 70_000}

#: Early and later weights of the families of a group, and of single families that differ from their group.
_GROUPS: dict[str, tuple[float, float]] = {
    "classic": (1.6, 1.0), "residual": (0.8, 1.3), "stages": (0.3, 0.9), "dense": (0.25, 0.8), "mobile": (0.6, 1.4),
    "compact": (0.35, 1.1), "transformer": (0.15, 1.5), "hybrid": (0.1, 1.3), "language": (0.1, 1.8),
    "decoder": (0.05, 0.5), "signal": (0.05, 0.35), "medley": (0.6, 2.5),
}  # fmt: skip
_FAMILIES: dict[str, tuple[float, float]] = {
    "convolutions": (4.5, 5.0), "resnet": (3.0, 2.0), "densenet": (2.6, 1.2), "inception": (2.6, 1.2),
    "alexnet": (2.0, 0.8), "shufflenet": (2.0, 1.0), "classify-maps": (1.5, 1.0), "elementwise": (1.2, 2.5),
    "wide-layers": (0.9, 0.4), "fully-connected": (0.5, 0.8), "mbconv": (0.9, 2.5), "inception-factorised": (0.5, 1.0),
    "recurrent": (0.02, 0.4), "decoding": (0.05, 0.8), "nasbench201": (0.2, 0.5), "cells": (0.1, 0.5),
}  # fmt: skip

#: What can be asked for.
PRECISIONS = frozenset(family.precision for family in FAMILIES.values())

#: Quantised families beside the others.
_INT8_WEIGHT = 0.6


def make_plan(
    seed: int = 0,
    budget_s: float = 75.0,
    precisions: Collection[str] = ("fp32",),
    *,
    without: Collection[str] = (),
    created_for: str = "",
) -> Plan:
    """A plan for ``budget_s`` seconds of measuring, with more items than fit.

    Plans of different seeds share no network. ``precisions`` are some of `PRECISIONS`; families and groups named in
    ``without`` are left out, so that they can serve as a test.

    Raises ValueError for a budget of nothing, an unknown precision, or when no family is left.
    """
    if not budget_s > 0:
        raise ValueError(f"a plan needs a budget above zero, not {budget_s} seconds")
    unknown = sorted(set(precisions) - PRECISIONS)
    if unknown or not precisions:
        raise ValueError(f"precisions are {', '.join(sorted(PRECISIONS))}, not {', '.join(unknown) or 'none'}")
    families = [f for f in FAMILIES.values() if f.precision in precisions and not {f.name, f.group} & set(without)]
    diverse, whole = ([f for f in families if f.whole is repeated] for repeated in (False, True))
    if not diverse or not whole:
        raise ValueError("no family of networks is left; leave fewer of them out")
    seeds = _Seeds(seed)
    count = min(MAX_ITEMS, max(40, round(budget_s * ITEMS_PER_SECOND)))
    repeated = _repeated(diverse, seeds, int(np.clip(budget_s / 25, 3, 16)))
    return Plan((*repeated, *_body(diverse, whole, seeds, count)), seed=seed, created_for=created_for)


class _Seeds:
    """Hands out seeds, none twice for one family."""

    def __init__(self, plan_seed: int) -> None:
        self._start = plan_seed * SEEDS_PER_PLAN
        self._given: dict[tuple[str, str], int] = {}

    def next(self, family: str, purpose: str) -> int:
        number = self._given.get((family, purpose), 0)
        self._given[family, purpose] = number + 1
        return self._start + _PLACE[purpose] + number


def _repeated(families: Sequence[Family], seeds: _Seeds, count: int) -> list[PlanItem]:
    """Models measured at the start and again at the end, which is what the noise floor is made of."""
    names = _Alternation(families)
    chosen = [names.next(0) for _ in range(count)]
    return [PlanItem(n, seeds.next(n, "repeated"), "whole_model", "composition", repeat=2) for n in chosen]


def _body(diverse: Sequence[Family], whole: Sequence[Family], seeds: _Seeds, count: int) -> Iterator[PlanItem]:
    """Training items with all the others between them."""
    training, fitting, testing = _Alternation(diverse), _Alternation(whole), _Alternation(whole)
    testing.next(0)  # so that the two do not go through the families in step
    for i in range(count):
        if i % HOLDOUT_EVERY == HOLDOUT_EVERY // 2:
            name = testing.next(i)
            yield PlanItem(name, seeds.next(name, "holdout"), "network+whole", "holdout")
        elif i % COMPOSITION_EVERY == 2:
            # Two in three repeat little: the sum of many kinds of kernels says more than another long network.
            name = (fitting if i % (3 * COMPOSITION_EVERY) == 2 else training).next(i)
            yield PlanItem(name, seeds.next(name, "composition"), "network+whole", "composition")
        else:
            name = training.next(i)
            isolated = i % ISOLATED_EVERY == 40
            yield PlanItem(name, seeds.next(name, "train"), "isolated" if isolated else "in_network", "train")


class _Alternation:
    """Names without end, each as often as its weight says and as evenly spread as can be.

    The method is smooth weighted round-robin: everyone earns his weight, the richest is next and pays the sum.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        self._names = [family.name for family in families]
        self._weights = np.array([_weight(family) for family in families])
        self._credit = np.zeros(len(families))

    def next(self, position: int) -> str:
        """The family for the item at ``position`` of the plan, which says how early it is."""
        later = min(1.0, max(0.0, (position - EARLY) / (LATE - EARLY)))
        weights = (1 - later) * self._weights[:, 0] + later * self._weights[:, 1]
        self._credit += weights
        chosen = int(np.argmax(self._credit))
        self._credit[chosen] -= weights.sum()
        return self._names[chosen]


def _weight(family: Family) -> tuple[float, float]:
    stem = family.stem
    early, later = _FAMILIES.get(stem, _GROUPS[family.group])
    factor = _INT8_WEIGHT if family.precision == "int8" else 1.0
    return factor * early, factor * later


def coincidence(measured: Iterable[Kernel], kernels: Sequence[Kernel], weights: Sequence[float] | None = None) -> float:
    """The share of ``kernels`` that occur exactly in ``measured``: by count, or by ``weights`` such as their times.

    It is shown beside every error, since a kernel that was measured is easier to predict than one that was not.
    """
    if not kernels:
        return 0.0
    keys = {kernel.key for kernel in measured}
    shares = np.ones(len(kernels)) if weights is None else np.asarray(weights, dtype=float)
    known = np.array([kernel.key in keys for kernel in kernels])
    return float(shares[known].sum() / shares.sum())


def next_round(
    candidates: Sequence[PlanItem],
    network: NDArray[np.intp],
    kind: NDArray[np.intp],
    disagreement: NDArray[np.float64],
    frequency: NDArray[np.float64],
    cost_s: NDArray[np.float64],
    *,
    count: int,
) -> list[PlanItem]:
    """The ``count`` candidates to measure next: those that promise most per second.

    ``network``, ``kind`` and ``disagreement`` (shape: kernels) say for every kernel of every candidate whose it is,
    what kind it is, and the relative spread of the ensemble's predictions for it; ``frequency`` (shape: kinds) is the
    share of run time that queries spend in a kind, ``cost_s`` (shape: candidates) the seconds a measurement takes.

    Disagreement × frequency is what a kernel's measurement is worth (DESIGN section 5). Every network that is chosen
    halves the worth of its kinds in proportion to what it shows of them, so that one bad kind does not take all.
    """
    if len(cost_s) != len(candidates):
        raise ValueError(f"{len(candidates)} candidates need as many costs, not {len(cost_s)}")
    worth = np.zeros((len(candidates), len(frequency)))
    np.add.at(worth, (network, kind), disagreement)
    worth *= frequency
    total = np.maximum(worth.max(axis=0), 1e-30)
    remaining = np.ones(len(frequency))
    free = np.ones(len(candidates), dtype=bool)
    chosen: list[PlanItem] = []
    for _ in range(min(count, len(candidates))):
        promise = np.where(free, worth @ remaining / cost_s, -1.0)
        best = int(np.argmax(promise))
        free[best] = False
        remaining *= 0.5 ** (worth[best] / total)
        chosen.append(candidates[best])
    return chosen
