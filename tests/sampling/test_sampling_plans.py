"""Plans: balanced prefixes, splits that stay apart, seeds that do not meet."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from graphs.kernels import Kernel, Operand
from graphs.spaces import FAMILIES
from lookup_tables import PlanItem
from predictors.sampling import _FAMILIES, _GROUPS, coincidence, make_plan, next_round


def test_weights_name_families_and_groups_that_exist() -> None:
    assert set(_GROUPS) == {family.group for family in FAMILIES.values()}
    assert set(_FAMILIES) <= {family.stem for family in FAMILIES.values()}


def test_a_plan_is_reproducible_and_outlasts_its_budget() -> None:
    plan = make_plan(3, 60.0, created_for="demo")
    assert plan == make_plan(3, 60.0, created_for="demo")
    assert len(plan) >= 360
    assert plan.seed == 3


def test_a_longer_plan_goes_on_where_the_shorter_ends() -> None:
    short, long = make_plan(0, 60.0), make_plan(0, 600.0)
    once = [item for item in short if item.repeat == 1]
    assert [item for item in long if item.repeat == 1][: len(once)] == once
    assert len(long) > 8 * len(short)


@pytest.mark.parametrize("length", (60, 150, 400, 1500))
def test_every_prefix_has_all_splits_in_proportion(length: int) -> None:
    plan = make_plan(0, 1200.0)
    prefix = [item for item in plan if item.repeat == 1][:length]
    splits = Counter(item.split for item in prefix)
    assert 0.6 < splits["train"] / length < 0.75
    assert 0.12 < splits["composition"] / length < 0.25
    assert 0.08 < splits["holdout"] / length < 0.16
    assert all(item.mode == "network+whole" for item in prefix if item.split != "train")
    assert all(FAMILIES[item.family].whole for item in prefix if item.split == "holdout")


def test_no_network_occurs_twice_and_no_two_plans_share_one() -> None:
    first, second = make_plan(0, 1200.0), make_plan(1, 1200.0)
    networks = [item.network for item in first]
    assert len(set(networks)) == len(networks)
    assert not set(networks) & {item.network for item in second}


def test_noise_is_measured_first_and_again_at_the_end() -> None:
    repeated = make_plan(0, 75.0).items[:3]
    assert all(item.mode == "whole_model" and item.repeat == 2 for item in repeated)


def test_the_beginning_is_convolutional_and_the_rest_is_everything() -> None:
    plan = make_plan(0, 1200.0)
    groups = Counter(FAMILIES[item.family].group for item in plan.items[:150])
    assert sum(groups[g] for g in ("classic", "residual", "dense", "mobile", "compact", "medley", "stages")) > 130
    late = Counter(item.family for item in plan.items[600:])
    assert {f.name for f in FAMILIES.values() if f.precision == "fp32"} <= set(late)


def test_precisions() -> None:
    both = make_plan(0, 600.0, ("fp32", "int8"))
    share = np.mean([FAMILIES[item.family].precision == "int8" for item in both])
    assert 0.1 < share < 0.5
    for one in ("int8", "fp16"):
        assert {FAMILIES[item.family].precision for item in make_plan(0, 60.0, (one,))} == {one}


def test_families_and_groups_can_be_left_out() -> None:
    plan = make_plan(0, 1200.0, without=("language", "resnet"))
    assert not [item for item in plan if FAMILIES[item.family].group == "language" or item.family == "resnet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget_s": 0.0}, "above zero"),
        ({"precisions": ("fp8",)}, "not fp8"),
        ({"precisions": ()}, "not none"),
        ({"without": tuple(_GROUPS)}, "no family of networks is left"),
    ],
)
def test_impossible_plans(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_plan(0, **arguments)  # type: ignore[arg-type]


def kernel(channels: int) -> Kernel:
    return Kernel("Relu", (Operand("float32", (1, channels)),), (Operand("float32", (1, channels)),))


def test_coincidence_by_count_and_by_time() -> None:
    measured = [kernel(8), kernel(16)]
    assert coincidence(measured, [kernel(8), kernel(24)]) == 0.5
    assert coincidence(measured, [kernel(8), kernel(24)], [3.0, 1.0]) == 0.75
    assert coincidence(measured, []) == 0.0


def test_the_next_round_prefers_disagreement_that_matters_per_second() -> None:
    candidates = [PlanItem("resnet", seed) for seed in range(4)]
    network, kind = np.array([0, 1, 2, 3]), np.array([0, 1, 0, 0])
    chosen = next_round(
        candidates,
        network,
        kind,
        disagreement=np.array([0.10, 0.50, 0.12, 0.10]),
        frequency=np.array([0.9, 0.01]),
        cost_s=np.array([1.0, 1.0, 1.0, 0.5]),
        count=2,
    )
    assert chosen == [candidates[3], candidates[2]]


def test_the_next_round_does_not_spend_everything_on_one_kind() -> None:
    candidates = [PlanItem("resnet", seed) for seed in range(6)]
    chosen = next_round(
        candidates,
        network=np.arange(6),
        kind=np.array([0, 0, 0, 0, 0, 1]),
        disagreement=np.full(6, 0.2),
        frequency=np.array([0.6, 0.4]),
        cost_s=np.ones(6),
        count=2,
    )
    assert candidates[5] in chosen


def test_the_next_round_needs_a_cost_for_every_candidate() -> None:
    with pytest.raises(ValueError, match="1 candidates need as many costs"):
        next_round([PlanItem("resnet", 0)], np.array([0]), np.array([0]), np.ones(1), np.ones(1), np.ones(2), count=1)
