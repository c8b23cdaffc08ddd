"""Whole models, measured one after the other, once or in several rounds."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from archgauge.errors import CommandError, explain
from archgauge.executors import Executor
from archgauge.output import progress
from profilers import MeasurementFailed, ModelMeasurement, ModelMeter
from profilers.errors import MeterUnavailable, UnknownMeter
from profilers.meters import meters_here, open_meter
from profilers.meters.metering import Metering

K = TypeVar("K", bound=Hashable)


@dataclass
class Measured(Generic[K]):
    """What measuring several models gave: per round the models that could be measured, and why others could not.

    Rounds run in processes of their own. ``apart_s`` is the mean time between two measurements of the same model.
    """

    rounds: list[dict[K, ModelMeasurement]]
    failures: dict[K, str] = field(default_factory=dict)
    apart_s: float | None = None


def measure_all(
    models: Mapping[K, Path],
    bindings: Mapping[str, Any],
    *,
    threads: int = 1,
    executor: Executor | None = None,
    seconds: float = 2.0,
    rounds: int = 1,
    reference_us: float | None = None,
    meter: str = "none",
    trials: int = 3,
) -> Measured[K]:
    """Measure every model for about ``seconds`` in each of ``rounds``, each of which goes through all models.

    ``executor`` is what runs them, by default onnxruntime on the processor with ``threads`` threads.
    Models that something disturbed are measured once more at the end of the round; the calmer measurement counts.
    Energy is metered by ``meter`` (see `profilers.meters`), in so many ``trials`` per round.
    """
    result: Measured[K] = Measured([{} for _ in range(rounds)])
    target = (executor or Executor(threads)).target()
    metering = Metering(trials)
    if metering_seconds(meter, target.provider, metering) is None:
        meter = "none"
    begun = time.monotonic()
    with progress("Measuring") as report:
        for number in range(rounds):
            with ModelMeter(target, reference_us=reference_us, meter=meter, metering=metering) as model_meter:
                for index, (key, file) in enumerate(models.items()):
                    report((number + index / len(models)) / rounds, file.name)
                    if key not in result.failures:
                        _measure(model_meter, key, file, bindings, seconds, result, number)
                for key in _disturbed(result.rounds[number]):
                    _measure(model_meter, key, models[key], bindings, seconds, result, number)
    if rounds > 1:
        result.apart_s = (time.monotonic() - begun) / rounds
    return result


def _disturbed(measured: Mapping[K, ModelMeasurement]) -> list[K]:
    """Models to measure once more when the others are done: what disturbed them may be over by then."""
    return [key for key, measurement in measured.items() if measurement.disturbance > 1.0]


def _measure(
    meter: ModelMeter,
    key: K,
    file: Path,
    bindings: Mapping[str, Any],
    seconds: float,
    result: Measured[K],
    number: int,
) -> None:
    before = result.rounds[number].get(key)
    try:
        found = meter.measure(file, seconds=seconds, **bindings)
        if before is None or found.disturbance < before.disturbance:
            result.rounds[number][key] = found
    except (MeasurementFailed, OSError) as error:
        if before is not None:
            return  # one good measurement is better than a failure
        result.failures[key] = explain(error) or str(error)
        for each in result.rounds:
            each.pop(key, None)


def metering_seconds(text: str, provider: str, metering: Metering | None = None) -> float | None:
    """About what metering takes per model, by default one window; None where there is no meter of that name, which an
    automatic one may be missing.

    A meter that is there and cannot be read is spoken of. Raises CommandError where a named one cannot be used.
    """
    try:
        meter = open_meter(text, provider)
    except (MeterUnavailable, UnknownMeter) as error:
        if text != "auto":
            raise CommandError(str(error)) from error
        if meters_here():
            click.echo(f"no energy is metered: {error}", err=True)
        return None
    if meter is None:
        return None
    with meter:
        return (metering or Metering(1)).duration_s(meter)


def executor_of(target: str | None, data_dir: Path) -> Executor:
    """That of the named target, or of the one promoted last; the processor with one thread where there is no store."""
    if target is None and (find_spec("sqlalchemy") is None or not data_dir.exists()):
        return Executor()
    from archgauge.state import open_store
    from service.errors import NoPredictor

    with open_store(data_dir) as store:
        try:
            target_id = target or store.promoted().target_id
        except NoPredictor:
            return Executor()
        return Executor.of(store.target(target_id).document)
