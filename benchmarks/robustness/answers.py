"""What must be answered: computed in this process, with the predictors that the service has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archgauge_client.wire import PredictionRequest
from graphs.search_spaces import read_search_space
from predictors import Predictor
from predictors.compiled import compile_space
from predictors.compiled.space import draw_rows
from service.engine import PricingEngine
from service.examples_spaces import SPACE
from service.requests import parse_request
from service.settings import Settings
from service.store import Store
from service.workers import Deadline

#: Single precision, and sums in another order.
_TOLERANCE = 1e-5
ROWS = 50


@dataclass(frozen=True)
class Expected:
    """By predictor version: predictions of the networks in their order, and milliseconds of `rows` of the space."""

    predictions: dict[str, list[dict[str, Any]]]
    rows: list[list[int]]
    rows_ms: dict[str, list[float]]


def expect(store: Store, versions: Sequence[str], bodies: Sequence[bytes]) -> Expected:
    """What each version says of the bodies of `POST /v1/predictions`, and of the example's search space."""
    engine = PricingEngine(store, Settings(data_dir=Path()))
    space = read_search_space(SPACE)
    rows = draw_rows(space, ROWS, seed=0)
    predictions, rows_ms = {}, {}
    for version in versions:
        told_of = []
        for body in bodies:
            request: PredictionRequest = parse_request(body)
            pinned = request.model_copy(update={"predictor": version})
            told_of.append(engine.price(pinned, Deadline(math.inf))["predictions"][0])
        predictions[version] = told_of
        predictor = Predictor.load(store.predictor_folder(store.predictor(version)))
        told = compile_space(predictor, space, batch_size=1).predict(rows)
        rows_ms[version] = np.asarray(told.latency_ms).tolist()
    return Expected(predictions, rows.tolist(), rows_ms)


def alike(expected: Any, told: Any) -> bool:
    """Whether two pieces of JSON data say the same."""
    if isinstance(expected, dict):
        return isinstance(told, dict) and expected.keys() == told.keys() and all(
            alike(value, told[key]) for key, value in expected.items()
        )  # fmt: skip
    if isinstance(expected, list | tuple):
        return isinstance(told, list) and len(expected) == len(told) and all(map(alike, expected, told))
    if isinstance(expected, float) and isinstance(told, float | int):
        return math.isclose(expected, told, rel_tol=_TOLERANCE, abs_tol=1e-9)
    return bool(expected == told)
