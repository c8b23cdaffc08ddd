"""Estimating: kernels → features → sources → estimates → composition → predictions, and how all that is trained.

Names are imported when they are first used: a plan needs neither xgboost nor a predictor.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from predictors.errors import (
    CorruptPredictor,
    IncompatiblePredictor,
    NoLookupTable,
    NotEnoughMeasurements,
    PredictorError,
    UnpriceableKernels,
)

if TYPE_CHECKING:
    from predictors.prediction import Prediction
    from predictors.predictor import Predictor
    from predictors.sampling import make_plan
    from predictors.training import TrainedPredictor, train

_HOMES = {
    "Prediction": "prediction", "Predictor": "predictor", "TrainedPredictor": "training", "make_plan": "sampling",
    "train": "training",
}  # fmt: skip

__all__ = [
    "CorruptPredictor", "IncompatiblePredictor", "NoLookupTable", "NotEnoughMeasurements", "Prediction", "Predictor",
    "PredictorError", "TrainedPredictor", "UnpriceableKernels", "make_plan", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'predictors' has no attribute {name!r}")
    value = getattr(import_module(f"predictors.{home}"), name)
    globals()[name] = value
    return value
