"""Error against profiling time, replayed from one table: our plan's order, random order, adaptive order, nn-Meter.

A budget is so many seconds of the table's own measuring. All predictors are tested on the networks of the holdout,
which cost nothing here: a profile would spend a ninth of its time on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import nn_meter
from benchmarks.accuracy.contexts import family_and_seed
from lookup_tables import Measurement, PlanItem, Table
from predictors import Predictor, train
from predictors.composition import fit
from predictors.evaluation import describe_wholes, evaluate_wholes, frozen_set
from predictors.metrics import mape, median_ape, within
from predictors.observations import Observations, networks_of
from predictors.sampling import next_round
from predictors.training import LEARNING
from predictors.work import FLOPS, work_of

Floats = NDArray[np.float64]

MINUTES = (2, 5, 10, 20)

#: The share of a budget after which the adaptive order looks at what it has learned.
_FIRST = 0.4


def curve(table: Table, tell: Callable[[str], None]) -> dict[str, Any]:
    """Errors on the holdout by order and minutes."""
    pool = _Pool(table)
    orders: dict[str, Callable[[float], set[str]]] = {
        "plan": lambda s: pool.prefix(pool.planned, s),
        "random": lambda s: pool.prefix(pool.shuffled, s),
        "adaptive": pool.adaptive,
    }
    found: dict[str, Any] = {"seconds_in_pool": float(sum(pool.cost.values())), "orders": {}}
    for name, choose in orders.items():
        found["orders"][name] = {}
        for minutes in MINUTES:
            tell(f"curve: {name}, {minutes} minutes")
            predictor = pool.trained(choose(minutes * 60.0))
            found["orders"][name][str(minutes)] = describe_wholes(evaluate_wholes(predictor, pool.frozen))
    found["orders"]["nn-Meter's method, plan"] = {
        str(minutes): pool.published(pool.prefix(pool.planned, minutes * 60.0)) for minutes in MINUTES
    }
    return found


class _Pool:
    """Networks of a table that can be measured again, at what they cost."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.frozen = frozen_set(networks_of(table.measurements))
        started = _started(table.measurements)
        self.planned = list(started)
        self.cost = _costs(started)
        self.shuffled = [self.planned[i] for i in np.random.default_rng(0).permutation(len(self.planned))]
        self.networks = {n.context: n for n in networks_of(table.measurements) if n.split in LEARNING}

    def prefix(self, order: Sequence[str], seconds: float) -> set[str]:
        """As many networks of an order as fit."""
        ends = np.cumsum([self.cost[name] for name in order])
        return set(order[: int(np.searchsorted(ends, seconds, side="right"))])

    def trained(self, contexts: set[str]) -> Predictor:
        """A predictor of these networks."""
        kept = np.array([m.split == "holdout" or m.context in contexts for m in self.table.measurements])
        return train(self.table.only(kept)).predictor

    def adaptive(self, seconds: float) -> set[str]:
        """The plan's order at first, then what the regressors disagree about most per second."""
        first = self.prefix(self.planned, _FIRST * seconds)
        predictor = self.trained(first)
        rest = [name for name in self.planned if name not in first and name in self.networks]
        told = predictor.estimate_many([self.networks[name].kernels for name in rest])
        kinds: dict[str, int] = {}
        network, kind, disagreement, time_us = [], [], [], []
        for i, (name, estimates) in enumerate(zip(rest, told, strict=True)):
            for kernel, estimate in zip(self.networks[name].kernels, estimates, strict=True):
                network.append(i)
                kind.append(kinds.setdefault(kernel.kind, len(kinds)))
                disagreement.append(estimate.sigma)
                time_us.append(estimate.time_us)
        share = np.bincount(kind, time_us) / np.sum(time_us)
        items = [PlanItem(*family_and_seed(name)) for name in rest]
        cost = np.array([self.cost[name] for name in rest])
        chosen = next_round(
            items, np.array(network), np.array(kind), np.array(disagreement), share, cost, count=len(rest)
        )
        return first | self.prefix([item.network for item in chosen], (1 - _FIRST) * seconds)

    def published(self, contexts: set[str]) -> dict[str, float]:
        """nn-Meter's method on these networks: forests per kind, kernels summed up, one factor for the whole."""
        rows = Observations.inside(
            [self.networks[c] for c in self.planned if c in contexts and c in self.networks], LEARNING
        )
        tested = [n for n in self.frozen if n.is_complete]
        kernels = [k for n in tested for k in n.kernels]
        names = np.array([k.kind for k in rows.kernels])[rows.which]
        asked = np.array([k.kind for k in kernels])
        said = np.zeros(len(kernels))
        for name in np.unique(asked):
            mine, theirs = np.flatnonzero(names == name), np.flatnonzero(asked == name)
            if not len(mine):
                continue  # a kind that it does not know is left out, as it does
            both = [rows.kernels[i] for i in rows.which[mine]] + [kernels[i] for i in theirs]
            time = np.concatenate((rows.time_us[mine], np.ones(len(theirs))))
            test = np.arange(len(both)) >= len(mine)
            said[theirs] = np.exp(nn_meter.learn(both, time, work_of(both)[:, FLOPS], test))
        ends = np.cumsum([len(n.kernels) for n in tested])
        sums = list(np.split(said, ends[:-1]))
        fitting = [n for n in self.networks.values() if n.context in contexts and n.is_complete and n.wholes]
        composition = fit([np.array(n.kernel_us) for n in fitting], [n.whole_us or 0.0 for n in fitting])
        predicted = [composition.whole_us(part) for part in sums]
        measured = [n.whole_us or 0.0 for n in tested]
        return {
            "models": len(tested), "mape": mape(predicted, measured), "median_ape": median_ape(predicted, measured),
            "within_10": within(predicted, measured, 0.1),
        }  # fmt: skip


def _started(measurements: Sequence[Measurement]) -> dict[str, float]:
    """When every network that can be learned from was begun, in that order."""
    first: dict[str, float] = {}
    for m in measurements:
        if m.split in LEARNING and m.repetition == 0:
            first[m.context] = min(m.started_at, first.get(m.context, np.inf))
    return dict(sorted(first.items(), key=lambda item: item[1]))


def _costs(started: dict[str, float]) -> dict[str, float]:
    """Seconds from the beginning of a network to that of the next; pauses count as the median."""
    times = np.array([*started.values()])
    gaps = np.diff(times, append=times[-1] + 1.0)
    usual = float(np.median(gaps))
    return {name: float(gap) if gap < 60.0 else usual for name, gap in zip(started, gaps.tolist(), strict=True)}
