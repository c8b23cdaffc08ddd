"""Gradient-boosted trees behind a narrow, typed door; only this module imports xgboost.

A `Forest` has several members in one booster: output k is a member that never saw the rows of fold k. Their mean is the
prediction, their disagreement says how much it depends on the data, and every training row has one member that did not
see it. One call evaluates all members; calls, not rows, are what a small graph pays for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Folds = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ForestSettings:
    """How a forest grows. The values were chosen on synthetic networks alone (see benchmarks)."""

    members: int = 4
    #: Rounds at most and at least; in between, one for every `rows_per_round` rows.
    rounds: int = 200
    fewest_rounds: int = 40
    rows_per_round: float = 5.0
    depth: int = 4
    #: Where there are `many` rows, deeper trees still learn something: 9 % less error for blocked convolutions.
    many: int = 10_000
    depth_of_many: int = 6
    learning_rate: float = 0.12
    row_share: float = 0.8
    column_share: float = 0.6
    l2: float = 1.0
    min_child_weight: float = 0.1


class Forest:
    """Several boosted members that share one booster."""

    def __init__(self, booster: xgboost.Booster, members: int) -> None:
        self._booster = booster
        self.members = members
        self.columns = int(booster.num_features())
        booster.set_param({"nthread": 1})  # batches are small: handing them to other threads costs more than it saves

    def predict(self, features: Features) -> Floats:
        """What each member says, ``[n, members]`` from ``[n, columns]``. Thread-safe."""
        if not len(features):
            return np.empty((0, self.members))
        values = np.asarray(self._booster.inplace_predict(features), dtype=np.float64)
        return values.reshape(len(features), self.members)

    def importance(self) -> Floats:
        """How much each column explained, ``[columns]``."""
        gains = self._booster.get_score(importance_type="total_gain")
        return np.array([np.sum(gains.get(f"f{i}", 0.0)) for i in range(self.columns)], dtype=np.float64)

    def to_bytes(self) -> bytes:
        """As universal binary JSON."""
        return bytes(self._booster.save_raw("ubj"))

    @classmethod
    def from_bytes(cls, data: bytes, members: int) -> Forest:
        """The inverse of `to_bytes`; ValueError where the data is no forest of ``members``."""
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(data))
        except xgboost.core.XGBoostError as error:
            raise ValueError(f"not a boosted model: {str(error).splitlines()[0]}") from error
        forest = cls(booster, members)
        forest.predict(np.zeros((1, forest.columns), dtype=np.float32))  # raises where the members are not so many
        return forest


def grow(
    features: Features, target: Floats, weight: Floats, fold: Folds, settings: ForestSettings, seed: int
) -> Forest:
    """Fit ``target [n]`` by weighted least squares; member k ignores the rows whose ``fold`` is k.

    One thread does it: on a few thousand rows more of them wait for each other longer than they work, many times
    longer where other programs run. Grow several forests at a time instead.
    """
    seen = (fold[:, None] != np.arange(settings.members)[None, :]).astype(np.float64)
    weights = weight[:, None] * seen
    weights /= max(float(weights.mean()), 1e-12)
    wanted = np.repeat(target[:, None], settings.members, axis=1)

    def gradient(predicted: NDArray[np.float32], _: xgboost.DMatrix) -> tuple[Floats, Floats]:
        return weights * (predicted.reshape(wanted.shape) - wanted), weights

    parameters: dict[str, Any] = {
        "max_depth": settings.depth if len(target) < settings.many else settings.depth_of_many,
        "eta": settings.learning_rate, "subsample": settings.row_share,
        "colsample_bytree": settings.column_share, "lambda": settings.l2,
        "min_child_weight": settings.min_child_weight, "num_target": settings.members, "base_score": 0.0,
        "tree_method": "hist", "nthread": 1, "seed": seed, "verbosity": 0,
        "disable_default_eval_metric": True,
    }  # fmt: skip
    data = xgboost.DMatrix(features, wanted, nthread=1)
    rounds = int(np.clip(len(target) / settings.rows_per_round, settings.fewest_rounds, settings.rounds))
    booster = xgboost.train(parameters, data, rounds, obj=gradient)
    return Forest(booster, settings.members)


def without_training(data: bytes, bits: int) -> bytes:
    """`Forest.to_bytes` without what only training needs (gains, covers, what inner nodes would say), so that it
    compresses well. Leaves keep ``bits`` bits of their mantissas; thresholds stay as they are.
    """
    booster = xgboost.Booster()
    booster.load_model(bytearray(data))
    model = json.loads(bytes(booster.save_raw("json")))
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        zeros = [0.0] * len(tree["left_children"])
        tree |= {"loss_changes": zeros, "sum_hessian": zeros, "base_weights": zeros}
        values = np.array(tree["split_conditions"], dtype=np.float32)
        leaves = np.array(tree["left_children"]) < 0
        values[leaves] = rounded(values[leaves], bits)
        tree["split_conditions"] = values.tolist()
    booster.load_model(bytearray(json.dumps(model).encode()))
    return bytes(booster.save_raw("ubj"))


def rounded(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """The nearest numbers with ``bits`` bits of mantissa."""
    dropped = 23 - bits
    whole = np.ascontiguousarray(values).view(np.uint32).astype(np.uint64)
    near = (whole + (1 << (dropped - 1))) >> dropped << dropped
    finite = np.isfinite(values)
    return np.where(finite, near.astype(np.uint32).view(np.float32), values).astype(np.float32)
