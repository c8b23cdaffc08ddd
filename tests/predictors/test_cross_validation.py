"""Calibration by those who have not seen the family: no fold knows anything of its own families."""

import numpy as np
import pytest

from lookup_tables import Table
from predictors import TrainedPredictor
from predictors.cross_validation import CrossValidation
from predictors.observations import Observations, family_of, networks_of
from predictors.regressors import folds_of
from predictors.training import _learn


@pytest.fixture(scope="module")
def learned(table: Table, trained: TrainedPredictor) -> tuple[Observations, CrossValidation]:
    learned = _learn(table, networks_of(table.measurements), 0, None, lambda _share, _what: None)
    return learned.rows, learned.unseen


def test_a_familys_own_measurements_are_not_in_the_table_of_its_fold(
    learned: tuple[Observations, CrossValidation],
) -> None:
    rows, unseen = learned
    for fold, estimator in enumerate(unseen.estimators):
        elsewhere = set(rows.which[unseen.trained.fold != fold].tolist())
        known = estimator.table.find(rows.kernels) >= 0
        assert set(np.flatnonzero(known).tolist()) == elsewhere
        assert {r.member for r in estimator.regressors.values()} == {fold}


def test_rows_and_networks_agree(learned: tuple[Observations, CrossValidation], table: Table) -> None:
    """The two ways of asking, for rows that were learned from and for whole runs, give the same times."""
    rows, unseen = learned
    network = next(n for n in networks_of(table.measurements) if n.split == "train" and n.kernels)
    [estimates] = unseen.networks([(network.context, network.kernels)])
    number = rows.families.index(family_of(network.context))
    fold = unseen.trained.folds[family_of(network.context)]
    assert unseen.trained.fold[rows.network == number].tolist() == [fold] * int((rows.network == number).sum())
    assert len(estimates) == len(network.kernels)
    assert all(e.time_us > 0 for e in estimates)


def test_folds_hold_whole_families_and_are_of_one_size() -> None:
    families = ["a"] * 4 + ["b"] * 3 + ["c", "d", "e"]
    folds = folds_of(families, np.full(10, 10.0), 3, seed=1)
    sizes = [sum(folds[f] == k for f in families) for k in range(3)]
    assert max(sizes) == 4 and min(sizes) == 3
    assert folds == folds_of(families, np.full(10, 10.0), 3, seed=1)


def test_families_of_networks() -> None:
    assert family_of("resnet-whole:7") == family_of("resnet:3") == "resnet"
    assert family_of("my-model.onnx") == "my-model.onnx"
    assert family_of("unheard-of:5") == "unheard-of"
