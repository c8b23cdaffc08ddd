"""The logic of carrying out plans, with a scripted measuring process and a clock that it moves."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lookup_tables import Measurement, Plan, PlanItem, Target
from profilers import campaign
from profilers.campaign import Progress, carry_out
from profilers.errors import MeasurementFailed


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


class ScriptedChild:
    """Takes a second per item, or what ``seconds`` says; ``deaths`` are the networks that kill it."""

    clock: Clock
    seconds: Mapping[str, float] = {}
    deaths: Mapping[str, str] = {}
    asked: list[tuple[str, int, str]]
    meters: list[str]

    def __init__(self, target: Target, session: str, memory_limit: int | None, meter: str) -> None:
        self.session = session
        type(self).meters.append(meter)
        self.alive = True
        type(self).clock.now += 0.1

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        item = PlanItem.from_json(request["item"])
        took = self.seconds.get(item.network, 1.0)
        self.clock.now += min(took, timeout_s)
        type(self).asked.append((item.network, request["repetition"], self.session))
        if took > timeout_s:
            self.alive = False
            raise MeasurementFailed("timeout", "too slow")
        if item.network in self.deaths:
            self.alive = False
            raise MeasurementFailed(self.deaths[item.network], "died")  # type: ignore[arg-type]
        record = Measurement("whole_model", latency_us=100.0, context=item.network, session=self.session)
        record = replace(record, repetition=request["repetition"])
        return {"records": [record.to_json()]}

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedChild]:
    class Scripted(ScriptedChild):
        clock = Clock()
        asked: list[tuple[str, int, str]] = []  # noqa: RUF012 - made anew for every test
        meters: list[str] = []  # noqa: RUF012

    monkeypatch.setattr(campaign, "Child", Scripted)
    monkeypatch.setattr(campaign, "time", Scripted.clock)
    return Scripted


def plan(count: int, **changes: Any) -> Plan:
    return Plan(tuple(PlanItem("net", seed, **changes) for seed in range(count)))


@pytest.fixture
def target(fake_target: Callable[..., Target]) -> Target:
    return fake_target()


def test_everything_is_measured_once(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    records = carry_out(plan(20), target, tmp_path / "s", 100.0)
    assert sorted(r.context for r in records) == sorted(f"net:{i}" for i in range(20))
    assert len(child.asked) == 20
    assert len({session for _, _, session in child.asked}) == 1


def test_order_is_random_within_segments_only(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    carry_out(plan(24), target, tmp_path / "s", 100.0, seed=3)
    order = [int(network.partition(":")[2]) for network, _, _ in child.asked]
    assert order != sorted(order)
    for start in range(0, 24, campaign.SEGMENT):
        assert sorted(order[start : start + campaign.SEGMENT]) == list(range(start, start + campaign.SEGMENT))


@pytest.mark.parametrize("budget", [5.0, 12.5, 30.0])
def test_the_budget_is_kept(child: type[ScriptedChild], target: Target, tmp_path: Path, budget: float) -> None:
    start = child.clock.now
    records = carry_out(plan(1000), target, tmp_path / "s", budget)
    used = child.clock.now - start
    assert budget - 2.5 <= used <= budget
    assert len(records) == len(child.asked)


def test_an_item_that_does_not_end_is_given_up(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    child.seconds = {"net:2": 1e6}
    start = child.clock.now
    records = carry_out(plan(3), target, tmp_path / "s", 20.0, seed=1)
    assert child.clock.now - start <= 20.0 * 1.1
    assert "net:2" not in {r.context for r in records}  # the budget ended, which says nothing about the network


def test_an_item_that_takes_too_long_is_a_failure(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    child.seconds = {"net:0": 1e6}
    records = carry_out(plan(3), target, tmp_path / "s", 1000.0)
    assert {r.context: r.error for r in records} == {"net:0": "timeout", "net:1": None, "net:2": None}


def test_deaths_are_results_and_the_child_is_replaced(
    child: type[ScriptedChild], target: Target, tmp_path: Path
) -> None:
    child.deaths = {"net:1": "crash", "net:3": "oom"}
    records = carry_out(plan(6, split="holdout"), target, tmp_path / "s", 100.0)
    errors = {r.context: r.error for r in records}
    assert errors == {f"net:{i}": {1: "crash", 3: "oom"}.get(i) for i in range(6)}
    assert len({session for _, _, session in child.asked}) >= 2
    assert all(r.split == "holdout" and r.detail == "died" for r in records if r.error)


def test_repetitions_come_last_and_in_processes_of_their_own(
    child: type[ScriptedChild], target: Target, tmp_path: Path
) -> None:
    repeated = tuple(PlanItem("again", seed, "whole_model", repeat=3) for seed in range(2))
    records = carry_out(Plan((*plan(500).items, *repeated)), target, tmp_path / "s", 40.0)
    again = [(n, repetition, session) for n, repetition, session in child.asked if n.startswith("again")]
    assert [repetition for _, repetition, _ in again] == [0, 0, 1, 1, 2, 2]
    assert child.asked[:2] == again[:2]
    assert child.asked[-4:] == again[2:]
    sessions = [{session for _, r, session in again if r == repetition} for repetition in range(3)]
    assert all(len(s) == 1 for s in sessions)
    assert len(set.union(*sessions)) == 3
    assert {r.repetition for r in records if r.context == "again:0"} == {0, 1, 2}


def test_a_second_run_goes_on_with_what_is_left_of_the_budget(
    child: type[ScriptedChild], target: Target, tmp_path: Path
) -> None:
    first = carry_out(plan(100), target, tmp_path / "s", 10.0)
    second = carry_out(plan(100), target, tmp_path / "s", 20.0)
    networks = [network for network, _, _ in child.asked]
    assert len(networks) == len(set(networks)) == len(second)
    assert len(first) < len(second) <= 20
    assert [r.context for r in second[: len(first)]] == [r.context for r in first]


def test_ctrl_c_returns_what_there_is(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    records = carry_out(plan(50), target, tmp_path / "s", 100.0, interrupt)
    assert len(records) == 4
    assert len(carry_out(plan(6), target, tmp_path / "s", 100.0)) == 6


def test_progress_grows_and_ends(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    seen: list[Progress] = []
    carry_out(plan(10), target, tmp_path / "s", 100.0, seen.append)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [p.done for p in seen] == list(range(11))
    assert seen[5].seconds_left == pytest.approx(5.0, rel=0.2)
    assert (seen[-1].seconds_left, seen[-1].current) == (0.0, "")


def test_measuring_that_cannot_start_is_an_error(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MeasurementFailed("unsupported", "no such runtime")

    monkeypatch.setattr(campaign, "Child", refuse)
    with pytest.raises(MeasurementFailed, match="cannot start: no such runtime"):
        carry_out(plan(3), target, tmp_path / "s", 10.0)


def test_children_are_told_of_the_meter(child: type[ScriptedChild], target: Target, tmp_path: Path) -> None:
    carry_out(plan(2), target, tmp_path / "a", 100.0, meter="rapl")
    carry_out(plan(2), target, tmp_path / "b", 100.0)
    assert child.meters == ["rapl", "none"]
