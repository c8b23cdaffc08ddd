import json

import pytest

from lookup_tables import InvalidRecord, Plan, PlanItem


def test_plan_survives_json() -> None:
    plan = Plan((PlanItem("mbconv", 17), PlanItem("vit", 3, "isolated", "holdout", 2)), seed=5, created_for="demo")
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.id == plan.id
    assert [item.network for item in again] == ["mbconv:17", "vit:3"]


def test_parts_of_a_plan_are_disjoint_and_complete() -> None:
    plan = Plan(tuple(PlanItem("resnet", seed) for seed in range(10)))
    parts = plan.split(3)
    assert [len(part) for part in parts] == [4, 3, 3]
    assert {item for part in parts for item in part} == set(plan)


@pytest.mark.parametrize(
    "data",
    [
        {"family": "mbconv"},
        {"family": "mbconv", "seed": "many"},
        {"family": "mbconv", "seed": 1, "mode": "guess"},
        {"family": "mbconv", "seed": 1, "split": "test"},
        {"family": "mbconv", "seed": 1, "repeat": 0},
    ],
)
def test_nonsense_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord):
        PlanItem.from_json(data)
