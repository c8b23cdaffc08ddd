"""Predict files with a store's predictor, measure them on this machine, and compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from archgauge import models
from archgauge.comparing import Comparison, KindTimes, summarise
from archgauge.errors import CommandError, explain
from archgauge.executors import Executor
from archgauge.local import LocalPricing
from archgauge.measuring import measure_all
from archgauge.output import progress
from predictors import Predictor
from predictors.composition import Composition
from profilers import ModelMeasurement
from service.store import Store


@dataclass(frozen=True)
class Evaluation:
    """Models that could be compared, and why others could not."""

    target: str
    predictor: str
    comparisons: list[Comparison]
    noise_floor: float | None
    apart_s: float | None
    failures: dict[Path, str] = field(default_factory=dict)

    @property
    def metered(self) -> bool:
        """Whether the energy of any model is known."""
        return any(comparison.measured_mj is not None for comparison in self.comparisons)

    @cached_property
    def summary(self) -> dict[str, Any]:
        return summarise(self.comparisons, self.apart_s)

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target, "predictor": self.predictor,
            "metrics": {**self.summary, "noise_floor": self.noise_floor},
            "models": [comparison.to_json() for comparison in self.comparisons],
            "failures": [{"file": str(file), "error": error} for file, error in self.failures.items()],
        }  # fmt: skip


def evaluate(
    files: Sequence[Path],
    target: str | None,
    bindings: Mapping[str, Any],
    *,
    seconds: float,
    rounds: int,
    data_dir: Path,
    meter: str = "none",
    trials: int | None = None,
) -> Evaluation:
    """Predict all files, then measure those that could be predicted, in rounds, with their energy if there is a meter
    (in so many ``trials`` per round; by default three where there is one round).

    Raises CommandError where the target is not this machine as it is now.
    """
    failures: dict[Path, str] = {}
    predictions: dict[Path, Mapping[str, Any]] = {}
    with LocalPricing(data_dir) as pricing:
        predictor = pricing.store.promoted(target)
        composition = Predictor.load(pricing.store.predictor_folder(predictor)).composition
        executor = local_executor(pricing.store, predictor.target_id)
        reference_us = sentinel_reference(pricing.store, predictor.target_id, predictor.tables)
        with progress("Predicting") as report:
            for index, file in enumerate(files):
                report(index / len(files), file.name)
                try:
                    asked = {"predictor": predictor.version, "detail": "kernels", **bindings}
                    answer = pricing.answer(file, [predictor.target_id], **asked)
                except Exception as error:
                    line = explain(error)
                    if line is None:
                        raise
                    failures[file] = line
                else:
                    predictions[file] = answer["predictions"][0]
    measured = measure_all(
        {file: file for file in predictions}, bindings, executor=executor, seconds=seconds, rounds=rounds,
        reference_us=reference_us, meter=meter, trials=trials or (1 if rounds > 1 else 3),
    )  # fmt: skip
    names = models.names(files)
    comparisons = [
        compare(names[file], prediction, [found[file] for found in measured.rounds], composition)
        for file, prediction in predictions.items()
        if file not in measured.failures
    ]
    return Evaluation(
        predictor.target_id, predictor.version, comparisons, predictor.report.get("noise_floor"), measured.apart_s,
        failures | measured.failures,
    )  # fmt: skip


def compare(
    name: str, prediction: Mapping[str, Any], rounds: Sequence[ModelMeasurement], composition: Composition
) -> Comparison:
    """Put a prediction with its kernels beside measurements; what profiling cost is taken off the measured kernels."""
    kernels = prediction.get("kernels") or ()
    rest = {key: value for key, value in prediction.items() if key != "kernels"}
    measured_ms: dict[str, float] = {}
    for measurement in rounds:
        for kind, added_us in _added(measurement, composition):
            measured_ms[kind] = measured_ms.get(kind, 0.0) + added_us / 1e3 / len(rounds)
    predicted: dict[str, list[float]] = {}
    for kernel in kernels:
        predicted.setdefault(kernel["kind"], []).append(kernel["latency_ms"] or 0.0)
    kinds = {
        kind: KindTimes(len(predicted.get(kind, ())), sum(predicted.get(kind, ())), measured_ms[kind])
        for kind in measured_ms
    }
    return Comparison(name, rest, tuple(rounds), kinds)


def _added(measurement: ModelMeasurement, composition: Composition) -> Iterator[tuple[str, float]]:
    """Kind and microseconds that each kernel added to the whole."""
    kernels = measurement.kernel_ms or ()
    added = composition.kernels_us(np.array([ms * 1e3 for _, ms in kernels]))
    yield from zip((kind for kind, _ in kernels), added.tolist(), strict=True)


def local_executor(store: Store, target_id: str) -> Executor:
    """The executor of a target that must be this machine as it is now; raises CommandError where it is not."""
    executor = Executor.of(store.target(target_id).document)
    here = executor.target().id
    if here != target_id:
        raise CommandError(
            f"predictions are for {target_id}, but this machine is {here} now; "
            "run `archgauge profile` here, or name another --target"
        )
    return executor


def sentinel_reference(store: Store, target_id: str, tables: Sequence[str]) -> float | None:
    """The sentinel's time (µs) that the table's latencies are relative to; None where the table does not say."""
    reference = store.references.find(target_id)
    for version in tables:
        known = reference is not None and version == reference.table.version
        table = reference.table if known and reference else store.table(version, target_id)
        report = table.manifest.get("report", {})
        if report.get("sentinel_us"):
            return float(report["sentinel_us"])
    return None
