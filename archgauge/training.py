"""Table version → predictor version → promoted, unless it is worse than the one that answers now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archgauge.output import Report, coverage, percent, stdout
from lookup_tables import Table, Target, read_table
from predictors import Predictor, PredictorError
from predictors import train as train_predictor
from predictors.evaluation import WholeResult, evaluate_wholes, frozen_set
from predictors.observations import networks_of
from service.db import PredictorRecord, TableRecord
from service.errors import NoPredictor, ServiceError
from service.store import Store

#: Two measurements of a model that are at least so far apart say how well a measurement can be repeated at all.
NOISE_FLOOR_APART_S = 600.0


@dataclass(frozen=True)
class Training:
    """A predictor version, and whether it answers now."""

    predictor: PredictorRecord
    table: TableRecord
    promoted: bool
    why: str


def train(store: Store, table: TableRecord, *, seed: int = 0, report: Report) -> Training:
    """Train on a table version, keep the predictor, and promote it unless it is worse.

    Raises:
        NotEnoughMeasurements: there is too little in the table.
    """
    measured = read_table(store.table_version(table))
    trained = train_predictor(measured, seed=seed, progress=report)
    record = store.register_predictor(trained, table.target_id, [table.version])
    promote, why = _decide(store, trained.predictor, measured)
    if promote:
        store.promote(record.version, record.target_id, note=why)
    return Training(record, table, promote, why)


def _decide(store: Store, new: Predictor, table: Table) -> tuple[bool, str]:
    """Whether ``new`` should answer for its target, and why. Both are judged on the table's held-out networks."""
    target: Target = table.target
    if target.emulated:
        return False, "times measured under an emulator are nobody's"
    try:
        current = store.promoted(target.id)
    except NoPredictor:
        return True, "the first of its target"
    try:
        old = Predictor.load(store.predictor_folder(current))
    except (PredictorError, ServiceError) as error:
        return True, f"{current.version} cannot be used any more: {error}"
    frozen = frozen_set(networks_of(table.measurements))
    return compare(evaluate_wholes(old, frozen), evaluate_wholes(new, frozen), current.version)


def compare(old: Sequence[WholeResult], new: Sequence[WholeResult], name: str) -> tuple[bool, str]:
    """Whether ``new`` is not worse than ``old`` (called ``name``) on the networks that both could predict.

    Worse is a mean absolute relative error that is higher by more than the standard error of the paired differences:
    less than that is chance.
    """
    before = {result.context: _error(result) for result in old}
    pairs = np.array([(before[r.context], _error(r)) for r in new if r.context in before])
    if len(pairs) == 0:
        return True, f"no held-out network was measured to compare it with {name}"
    rise = pairs[:, 1] - pairs[:, 0]
    margin = float(rise.std(ddof=1) / np.sqrt(len(rise))) if len(rise) > 1 else 0.0
    figures = f"{percent(float(pairs[:, 1].mean()))} against {percent(float(pairs[:, 0].mean()))} of {name}"
    text = f"MAPE {figures} on {len(pairs)} held-out networks"
    return bool(rise.mean() <= margin), text


def _error(result: WholeResult) -> float:
    return abs(result.predicted_us / result.measured_us - 1)


def print_training(training: Training) -> None:
    """What the predictor is worth: its honest error, the noise floor, and whether it answers."""
    console = stdout()
    report = training.predictor.report
    counts = training.table.manifest["counts"]
    console.print(
        f"lookup table {training.table.version}: {training.table.manifest['rows']:,} measurements of "
        f"{counts['distinct_kernels']:,} kernels in {counts['contexts']:,} networks"
    )
    for line in _accuracy(report):
        console.print(line)
    state = "answers now" if training.promoted else "does not answer"
    console.print(f"predictor {training.predictor.version} {state}: {training.why}")
    console.print(f"target {training.predictor.target_id}")


def _accuracy(report: Mapping[str, Any]) -> list[str]:
    lines = []
    accuracy, kernels = report.get("accuracy") or {}, report.get("kernels") or {}
    if kernels.get("mape") is not None:
        lines.append(
            f"kernels of shapes left out of training: MAPE {percent(kernels['mape'])} weighted by time, "
            f"median {percent(kernels['median_ape'])}"
        )
    if accuracy:
        lines.append(
            f"{accuracy['models']} whole networks never trained on: MAPE {percent(accuracy['mape'])}, median "
            f"{percent(accuracy['median_ape'])}, within ±10 % {percent(accuracy['within_10'], 0)}, "
            f"{percent(accuracy['interval_coverage'], 0)} inside their {percent(accuracy['confidence'], 0)} interval"
        )
        lines.append(f"  their time was answered by {coverage(report['coverage'])}")
    if report.get("noise_floor") is not None:
        apart_s = report.get("noise_floor_apart_s") or 0.0
        early = "" if apart_s >= NOISE_FLOOR_APART_S else ", which is too short to see all drift"
        lines.append(
            f"noise floor: {percent(report['noise_floor'])}, the mean difference of two measurements of "
            f"{report['noise_floor_models']} networks, {apart_s / 60:.1f} minutes apart{early}"
        )
    return lines


def to_json(training: Training) -> dict[str, Any]:
    """As ``archgauge profile --json`` prints it."""
    return {
        "target": training.predictor.target_id, "table": training.table.version,
        "counts": dict(training.table.manifest["counts"]), "predictor": training.predictor.version,
        "promoted": training.promoted, "why": training.why, "report": dict(training.predictor.report),
    }  # fmt: skip
