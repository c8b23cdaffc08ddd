"""Table version → predictor version → promoted, unless it is worse than the one that answers now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lookup_tables import Table, read_table
from predictors import IncompatiblePredictor, Predictor, PredictorError
from predictors import train as train_predictor
from predictors.evaluation import WholeResult, evaluate_wholes, frozen_set
from predictors.observations import networks_of
from service.db import PredictorRecord, TableRecord
from service.errors import NoPredictor, ServiceError
from service.promotions import Within
from service.store import Store


class Report(Protocol):
    """Takes the finished share (0 to 1) and a few words about what is going on."""

    def __call__(self, share: float, words: str = "", /) -> None: ...


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
    record = make(store, measured, seed=seed, report=report)
    promote, why = decide(store, record, measured)
    if promote:
        store.promote(record.version, record.target_id, note=why)
    return Training(record, table, promote, why)


def make(
    store: Store, measured: Table, *, seed: int, report: Report, within: Within[PredictorRecord] | None = None
) -> PredictorRecord:
    """Train on a table version and keep the predictor; ``within`` as in `Store.register_predictor`."""
    trained = train_predictor(measured, seed=seed, progress=report)
    return store.register_predictor(trained, measured.target.id, [measured.where.version], within)


def decide(store: Store, new: PredictorRecord, measured: Table) -> tuple[bool, str]:
    """Whether ``new`` should answer for its target, and why. Both are judged on the table's held-out networks."""
    if measured.target.emulated:
        return False, "times measured under an emulator are nobody's"
    try:
        current = store.promoted(new.target_id)
    except NoPredictor:
        return True, "the first of its target"
    try:
        old = Predictor.load(store.predictor_folder(current))
    except (PredictorError, ServiceError) as error:
        # Shown to all who see the target: no path of the server is in it.
        unread = isinstance(error, IncompatiblePredictor)
        why = "it was made for another version of ArchGauge" if unread else "its files are missing or damaged"
        return True, f"{current.version} cannot be used any more: {why}"
    frozen = frozen_set(networks_of(measured.measurements))
    candidate = Predictor.load(store.predictor_folder(new))
    return compare(evaluate_wholes(old, frozen), evaluate_wholes(candidate, frozen), current.version)


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
    figures = f"{100 * pairs[:, 1].mean():.1f} % against {100 * pairs[:, 0].mean():.1f} % of {name}"
    return bool(rise.mean() <= margin), f"MAPE {figures} on {len(pairs)} held-out networks"


def _error(result: WholeResult) -> float:
    return abs(result.predicted_us / result.measured_us - 1)
