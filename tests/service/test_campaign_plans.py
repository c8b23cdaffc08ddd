"""What a campaign measures: balanced without a subject, leaning towards it with one, nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphs import Kernel, LoweringProfile, lower
from graphs.spaces import sample
from lookup_tables import DeviceFingerprint, Measurement, PlanItem, Target, write_table
from predictors.energy.plan import WANTED
from service.campaigns.planning import Subject, graph_tasks, metering_seconds, plan_round, seed_of, tasks_of
from service.campaigns.results import describe_measured
from service.db import CampaignRecord
from service.store import Store

DOCUMENT: dict[str, Any] = {"budget_s": 20.0, "rounds": 2, "precisions": ["fp32"]}
ID = "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c99"


def plan(subject: Subject, known: tuple[str, ...] = ()) -> list[PlanItem]:
    return plan_round(ID, DOCUMENT, LoweringProfile(), subject, None, known)


def test_rounds_measure_nothing_twice() -> None:
    first = plan(Subject())
    second = plan(Subject(), tuple(item.key for item in first))
    assert first and second and not {i.key for i in first} & {i.key for i in second}
    assert {i.split for i in first} == {"train", "composition", "holdout"}
    assert all(item.seed // 100_000 == seed_of(ID) for item in first)


def share(items: list[PlanItem], kind: str) -> float:
    """Of the networks to learn from, those with such a kernel."""
    learning = [i for i in items if i.split == "train"]
    return sum(kind in {k.kind for k in kernels(i)} for i in learning) / len(learning)


def kernels(item: PlanItem) -> list[Kernel]:
    return lower(sample(item.family, item.seed), LoweringProfile())


def test_a_subject_draws_the_plan_towards_it() -> None:
    without, about = plan(Subject()), plan(Subject(kinds=("Softmax",)))
    assert share(about, "Softmax") > 1.5 * share(without, "Softmax")
    assert {i.split for i in about} == {"train", "composition", "holdout"}


def test_graphs_are_a_subject_too() -> None:
    graphs = (sample("vit", 3),)
    kinds = {kernel.kind for kernel in lower(graphs[0], LoweringProfile())}
    about = plan(Subject(graphs=graphs))
    covered = {k.kind for i in about for k in kernels(i)}
    assert len(kinds & covered) > 0.7 * len(kinds)


def test_some_are_metered_where_there_is_a_meter() -> None:
    document = {**DOCUMENT, "budget_s": 400.0}
    first = plan_round(ID, document, LoweringProfile(), Subject(), None, (), 8.0)
    metered = [item for item in first if item.mode == "metered"]
    assert len(metered) == 6  # a quarter of the round's time
    assert {item.split for item in metered} <= {"composition", "holdout"} and all(i.repeat == 1 for i in metered)
    second = plan_round(ID, document, LoweringProfile(), Subject(), None, [item.key for item in first], 8.0)
    assert not {item.network for item in first} & {item.network for item in second}
    assert sum(item.mode == "metered" for item in second) == 6
    enough = [f"resnet:{n}/metered/holdout" for n in range(WANTED)]
    assert not any(i.mode == "metered" for i in plan_round(ID, document, LoweringProfile(), Subject(), None, enough, 8))


def test_what_devices_say_of_meters_is_distrusted() -> None:
    assert metering_seconds({"meter": {"name": "rapl", "seconds": 8.2}}) == 8.2
    for said in ({}, {"meter": None}, {"meter": "rapl"}, {"meter": {"seconds": "8"}}, {"meter": {"seconds": -1}},
                 {"meter": {"seconds": 1e9}}):  # fmt: skip
        assert metering_seconds(said) is None


def test_architectures_are_metered_where_there_is_a_meter() -> None:
    architectures = [{"hash": 16 * "0a", "graph": {}}]
    for metered, mode in ((False, "whole_model"), (True, "metered")):
        (task,) = graph_tasks(architectures, 1, metered=metered)
        assert task["items"][0]["item"]["mode"] == mode


def test_finalists_are_timed_on_a_machine_as_fast_as_its_table(tmp_path: Path) -> None:
    target = Target(DeviceFingerprint("Board", cores=4))
    context = f"graph-{8 * '0a'}:0"
    measured = [
        Measurement("whole_model", latency_us=200.0, context=context, sentinel_us=2000.0, session="s", runs=5,
                    energy_mj=3.0, energy_gross_mj=4.0, energy_method="counter", energy_scope="package"),
    ]  # fmt: skip
    document = {"architectures": [{"hash": 16 * "0a", "name": "mine"}, {"hash": 16 * "0b", "name": "not measured"}]}
    now = datetime(2026, 1, 2, tzinfo=UTC)
    with Store.open(tmp_path) as store:
        record = CampaignRecord(ID, target.id, document, "planning", 1, 9.0, None, {}, None, "me", now, None)
        store.register_target(target)
        assert describe_measured(store, record, measured)[0]["latency_ms"]["median"] == 0.2
        known = [Measurement("whole_model", latency_us=1.0, context="resnet:1")]
        store.register_table(write_table(store.root, target, known, None, {"sentinel_us": 1000.0}))
        mine, other = describe_measured(store, record, measured)
    assert mine["latency_ms"]["median"] == 0.1 and mine["drift"] == 2.0
    assert mine["energy_mj"] == {"value": 3.0, "gross": 4.0, "method": "counter", "scope": "package"}
    assert (other["name"], other["latency_ms"], other["error"]) == ("not measured", None, "not measured")


def test_tasks_repeat_at_the_end_what_is_measured_twice() -> None:
    items = [PlanItem("a", 1, "whole_model", "composition", repeat=2), *(PlanItem("b", n) for n in range(5))]
    tasks = tasks_of(items, 2, 1)
    assert [(i["key"], i["repetition"]) for i in tasks[0]["items"]] == [(items[0].key, 0)]
    assert [len(task["items"]) for task in tasks] == [1, 2, 2, 1, 1]
    assert tasks[-1]["items"][0]["repetition"] == 1
    assert [bool(task.get("needed")) for task in tasks] == [True, False, False, False, True]
