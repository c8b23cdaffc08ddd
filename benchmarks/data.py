"""What benchmarks predict with: the promoted predictor of a data directory, or one of a short profile."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from archgauge.executors import Executor
from archgauge.output import progress
from archgauge.profiling import profile
from archgauge.state import open_store
from predictors import Predictor
from service.errors import NoPredictor
from service.store import Store
from service.training import train

PROFILE_S = 30.0


def has_predictor(data_dir: Path) -> bool:
    """Whether a predictor is promoted there; the folder is not made."""
    if not data_dir.exists():
        return False
    with open_store(data_dir) as store:
        try:
            store.promoted()
        except NoPredictor:
            return False
    return True


def prepare(data_dir: Path, served: Path) -> None:
    """Make ``served`` a copy of the data directory; without a predictor there, profile this machine for a moment."""
    if has_predictor(data_dir):
        shutil.copytree(data_dir, served)
    else:
        with open_store(served) as store:
            profile_here(store)


def profile_here(store: Store) -> None:
    """Fill a store with what a short profile of this machine makes."""
    click.echo(f"No predictor: profiling this machine for {PROFILE_S:.0f} s.", err=True)
    with progress("Profiling") as report:
        made = profile(store, executor=Executor(), budget_s=PROFILE_S, report=report)
    with progress("Training") as report:
        train(store, store.table(made.version, made.target_id), report=report)


def promoted(data_dir: Path) -> Predictor:
    """The promoted predictor of a folder that `prepare` made."""
    with open_store(data_dir) as store:
        return Predictor.load(store.predictor_folder(store.promoted()))
