"""What training a predictor gave, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archgauge.output import coverage, percent, stdout
from service.training import Training

#: Two measurements of a model that are at least so far apart say how well a measurement can be repeated at all.
NOISE_FLOOR_APART_S = 600.0


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
            f"kernels of families left out of training: MAPE {percent(kernels['mape'])} weighted by time, "
            f"median {percent(kernels['median_ape'])}"
        )
    if accuracy:
        lines.append(
            f"{accuracy['models']} whole networks never trained on: MAPE {percent(accuracy['mape'])}, median "
            f"{percent(accuracy['median_ape'])}, within ±10 % {percent(accuracy['within_10'], 0)}, "
            f"{percent(accuracy['interval_coverage'], 0)} inside their {percent(accuracy['confidence'], 0)} interval"
        )
        lines.append(f"  their time was answered by {coverage(report['coverage'])}")
    lines += _energy(report.get("energy") or {})
    if report.get("noise_floor") is not None:
        apart_s = report.get("noise_floor_apart_s") or 0.0
        early = "" if apart_s >= NOISE_FLOOR_APART_S else ", which is too short to see all drift"
        lines.append(
            f"noise floor: {percent(report['noise_floor'])}, the mean difference of two measurements of "
            f"{report['noise_floor_models']} networks, {apart_s / 60:.1f} minutes apart{early}"
        )
    return lines


def _energy(report: Mapping[str, Any]) -> list[str]:
    """Nothing where nothing was metered."""
    if not report:
        return []
    if "why_not" in report:
        return [f"energy stays a guess: {report['why_not']}"]
    begin = f"power fitted to {report['windows']} windows ({report['metered_by']}, {report['scope']})"
    power, holdout = report["power"], report["holdout"]
    lines = [
        f"{begin}: MAPE {percent(power['unseen_families_mape'])} on families left out, "
        f"{percent(power['constant_mape'])} with one power for all"
    ]
    if holdout:
        lines.append(
            f"  energy of {holdout['windows']} networks never trained on: MAPE {percent(holdout['mape'])}, "
            f"{percent(holdout['constant_power_mape'])} with constant power times time, "
            f"{percent(holdout['interval_coverage'], 0)} inside their {percent(holdout['confidence'], 0)} interval"
        )
    return lines


def to_json(training: Training) -> dict[str, Any]:
    """As ``archgauge profile --json`` prints it."""
    return {
        "target": training.predictor.target_id, "table": training.table.version,
        "counts": dict(training.table.manifest["counts"]), "predictor": training.predictor.version,
        "promoted": training.promoted, "why": training.why, "report": dict(training.predictor.report),
    }  # fmt: skip
