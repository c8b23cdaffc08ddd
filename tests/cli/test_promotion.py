"""A new predictor answers unless it is worse, as far as that can be told."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from archgauge.errors import CommandError
from archgauge.profiling import exclusive
from predictors.evaluation import WholeResult
from service.training import compare


def results(errors: Sequence[float]) -> list[WholeResult]:
    return [
        WholeResult(f"net:{i}", 1000 * (1 + e), 1000, (1.1,) * 4, 0.0, {"table": 1.0}) for i, e in enumerate(errors)
    ]


def test_a_better_one_is_promoted() -> None:
    promoted, why = compare(results([0.1, -0.1, 0.2]), results([0.01, 0.02, -0.01]), "v0001-aaaaaaaa")
    assert promoted
    assert "1.3 % against 13.3 % of v0001-aaaaaaaa" in why


def test_a_worse_one_is_not() -> None:
    promoted, why = compare(results([0.01, 0.02, -0.01]), results([0.1, -0.1, 0.2]), "v0001-aaaaaaaa")
    assert not promoted
    assert "3 held-out networks" in why


def test_the_same_again_is_promoted() -> None:
    assert compare(results([0.1, 0.2]), results([0.1, 0.2]), "old")[0]


def test_chance_does_not_keep_a_new_one_back() -> None:
    before = [0.02, 0.05, 0.01, 0.04]
    after = [0.05, 0.01, 0.04, 0.025]  # 0.1 points higher on average, by differences of 3 points
    assert compare(results(before), results(after), "old")[0]


def test_a_single_network_decides() -> None:
    assert not compare(results([0.01]), results([0.02]), "old")[0]


def test_only_networks_that_both_could_predict_count() -> None:
    promoted, why = compare(results([0.1, 0.1])[:1], results([0.05, 0.9]), "old")
    assert promoted
    assert "on 1 held-out" in why
    assert compare([], results([0.5]), "old")[0]


def test_only_one_process_measures(tmp_path: Path) -> None:
    lock = tmp_path / "spool/target.lock"
    with exclusive(lock), pytest.raises(CommandError, match="another `archgauge profile`"), exclusive(lock):
        pass
    with exclusive(lock):
        pass
