"""``python -m benchmarks.accuracy run DIR`` and ``python -m benchmarks.accuracy report DIR…``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from archgauge import options
from archgauge.executors import Executor
from archgauge.networks import real_networks
from archgauge.output import progress
from archgauge.profiling import profile
from archgauge.state import open_store
from benchmarks.accuracy import curve, learners, real, repeat, report, splits
from benchmarks.accuracy.stages import Run
from lookup_tables import Table, read_table
from predictors import Predictor
from service.errors import NoPredictor
from service.store import Store
from service.training import train

#: Two rounds of real models are at least so far apart.
APART_S = 600.0


@click.group()
def main() -> None:
    """How right predictions are."""


@main.command("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--threads", default=1, show_default=True)
@click.option("--precision", default="fp32", show_default=True, help="fp32, int8 or both, separated by commas.")
@click.option("--budget", type=options.duration, default="20m", show_default=True)
@click.option(
    "--models", multiple=True, type=click.Path(path_type=Path, exists=True), help="Files, or folders of them."
)
@click.option("--short", is_flag=True, help="Profile and real models only.")
def run_command(
    folder: Path, threads: int, precision: str, budget: float, models: tuple[Path, ...], short: bool
) -> None:
    """Profile this machine and find out how right the predictor is; a run that was stopped goes on where it was.

    Leave the machine alone meanwhile: real models and repetitions are measured between the stages that compute.
    """
    run = Run(folder)
    files = [f for m in models for f in (sorted(m.glob("*.onnx")) if m.is_dir() else [m])] or list(
        real_networks().values()
    )
    run.stage("profile", lambda: _profile(run, threads, precision.split(","), budget))
    run.stage("models-1", lambda: real.measure(files, run.data))
    predictor, table = _promoted(run)
    run.stage("coincidences", lambda: real.coincidences(files, predictor, table))
    run.stage("random", lambda: splits.random_split(predictor, table))
    if not short:
        run.stage("families", lambda: splits.families_held_out(table, _tell))
        run.stage("sizes", lambda: splits.sizes_extrapolated(table))
        run.stage("regressors", lambda: learners.compare(table, _tell))
        run.stage("curve", lambda: curve.curve(table, _tell))
    first = run.document("models-1")
    assert first is not None
    wait = first["made_at"] + APART_S - time.time()
    if run.result("models-2") is None and wait > 0:
        click.echo(f"waiting {wait:.0f} s for the second round", err=True)
        time.sleep(wait)
    run.stage("models-2", lambda: real.measure(files, run.data))
    run.stage("models", lambda: _merged(run))
    run.stage("repeat", lambda: repeat.repeat(table, table.manifest.report.get("sentinel_us")))
    click.echo(report.text([run]))


@main.command("report")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), help="A Markdown file; pictures go beside it into images/.")
def report_command(folders: tuple[Path, ...], output: Path | None) -> None:
    """Write runs down."""
    runs = [Run(folder) for folder in folders]
    if output is None:
        click.echo(report.text(runs))
    else:
        report.write(runs, output)


def _profile(run: Run, threads: int, precisions: list[str], budget: float) -> Mapping[str, Any]:
    with open_store(run.data) as store:
        try:
            record = store.promoted()
        except NoPredictor:
            with progress("Profiling") as tell:
                made = profile(store, executor=Executor(threads), budget_s=budget, precisions=precisions, report=tell)
            with progress("Training") as tell:
                train(store, store.table(made.version, made.target_id), report=tell)
            record = store.promoted()
        table = store.table(record.tables[0], record.target_id)
        return {
            "target": record.target_id, "predictor": record.version, "threads": threads, "precisions": precisions,
            "budget_s": dict(table.manifest["report"]).get("budget_s", budget), "rows": table.manifest["rows"],
            "counts": dict(table.manifest["counts"]), "report": dict(record.report),
        }  # fmt: skip


def _promoted(run: Run) -> tuple[Predictor, Table]:
    with open_store(run.data) as store:
        return _opened(store)


def _opened(store: Store) -> tuple[Predictor, Table]:
    record = store.promoted()
    table = store.table(record.tables[0], record.target_id)
    return Predictor.load(store.predictor_folder(record)), read_table(store.table_version(table))


def _merged(run: Run) -> Mapping[str, Any]:
    first, second = run.document("models-1"), run.document("models-2")
    assert first is not None and second is not None
    return real.merge(first["result"], second["result"], second["made_at"] - first["made_at"])


def _tell(what: str) -> None:
    click.echo(f"  {time.strftime('%H:%M:%S')} {what}", err=True)


if __name__ == "__main__":
    main()
