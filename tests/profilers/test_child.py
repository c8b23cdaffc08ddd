"""Real measuring processes, with the fake runtime and with onnxruntime."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lookup_tables import Measurement, Plan, PlanItem, Target
from profilers import campaign, carry_out, local_target
from profilers.child import Child, memory_limit
from profilers.errors import MeasurementFailed

ITEM = PlanItem("keywords", 3, "in_network")


def ask(child: Child, item: PlanItem, timeout_s: float = 60.0) -> list[Measurement]:
    answer = child.ask({"do": "item", "item": item.to_json(), "repetition": 0}, timeout_s)
    return [Measurement.from_json(record) for record in answer["records"]]


@pytest.fixture
def start() -> Iterator[Callable[[Target], Child]]:
    children: list[Child] = []

    def make(target: Target) -> Child:
        children.append(Child(target, "test"))
        return children[-1]

    yield make
    for child in children:
        child.close()


def test_one_process_serves_many_items(start: Callable[[Target], Child], fake_target: Callable[..., Target]) -> None:
    child = start(fake_target())
    records = [ask(child, PlanItem("keywords", seed, "in_network")) for seed in range(3)]
    assert all(r.ok and r.session == "test" for network in records for r in network)
    assert len({r.context for network in records for r in network}) == 3
    assert child.alive


@pytest.mark.parametrize(("how", "kind"), [("crash", "crash"), ("killed", "oom")])
def test_death_has_a_kind(
    start: Callable[[Target], Child], fake_target: Callable[..., Target], how: str, kind: str
) -> None:
    child = start(fake_target(**{how: ITEM.network}))
    with pytest.raises(MeasurementFailed, match="killed by signal") as caught:
        ask(child, ITEM)
    assert caught.value.kind == kind
    assert not child.alive
    with pytest.raises(MeasurementFailed):
        ask(child, ITEM)


def test_a_killed_process_leaves_nothing_behind() -> None:
    child = Child(local_target(1), "test")
    scratch = child._scratch
    (scratch / "optimised.onnx").write_bytes(b"left over")
    child.kill()
    child.close()
    assert not scratch.exists()


def test_hanging_ends(start: Callable[[Target], Child], fake_target: Callable[..., Target]) -> None:
    child = start(fake_target(hang=ITEM.network))
    with pytest.raises(MeasurementFailed, match="no result within") as caught:
        ask(child, ITEM, timeout_s=0.3)
    assert caught.value.kind == "timeout"
    assert not child.alive


@pytest.mark.parametrize(("how", "kind"), [("oom", "oom"), ("refuse", "unsupported")])
def test_refusals_are_records(
    start: Callable[[Target], Child], fake_target: Callable[..., Target], how: str, kind: str
) -> None:
    child = start(fake_target(**{how: ITEM.network}))
    [record] = ask(child, ITEM)
    assert (record.error, record.context, record.latency_us) == (kind, ITEM.network, None)
    assert child.alive


def test_runtimes_that_are_not_there_are_reported(fake_target: Callable[..., Target]) -> None:
    target = Target(fake_target().device, runtime="tensorworks", provider="NPU")
    with pytest.raises(MeasurementFailed, match="UnknownRuntime"):
        Child(target, "test")


def test_lack_of_memory_is_a_result() -> None:
    child = Child(local_target(1), "test", memory_limit=150 * 2**20)
    try:
        records = ask(child, PlanItem("vgg-whole", 0, "whole_model"))
        assert [(record.error, record.context) for record in records] == [("oom", "vgg-whole:0")]
        assert child.alive
    finally:
        child.close()


def test_several_threads_are_shared_with_the_sentinel(start: Callable[[Target], Child]) -> None:
    records = ask(start(replace(local_target(1), threads=2)), PlanItem("keywords", 3, "network+whole"))
    assert all(r.ok for r in records)


def test_memory_is_limited_to_what_is_free() -> None:
    limit = memory_limit()
    assert limit is None or limit > 0


def test_the_whole_of_it_with_the_real_runtime(tmp_path: Path) -> None:
    plan = Plan((PlanItem("keywords", 1), PlanItem("keywords", 2, "whole_model", "composition", repeat=2)))
    records = carry_out(plan, local_target(1), tmp_path / "spool", 60.0)
    assert all(r.ok for r in records)
    whole = [r for r in records if r.mode == "whole_model"]
    kernels = [r for r in records if r.mode == "in_network"]
    assert sorted(r.context for r in whole) == ["keywords:1", "keywords:2", "keywords:2"]
    [first] = [r for r in whole if r.context == "keywords:1"]
    assert first.kernels == len(kernels) > 0
    assert [r.position for r in kernels] == list(range(len(kernels)))
    assert {r.model for r in kernels} == {first.model}
    assert first.peak_memory_bytes is not None
    again = [r for r in whole if r.context == "keywords:2"]
    assert again[0].session != again[1].session
    assert {r.split for r in again} == {"composition"}


def test_kill_loses_at_most_the_item_under_way(fake_target: Callable[..., Target], tmp_path: Path) -> None:
    """`kill -9` of the whole run, then the rest of the plan from where it was."""
    spool, target = tmp_path / "spool", fake_target()
    code = f"""
import json
from pathlib import Path
from lookup_tables import Plan, PlanItem, Target
from profilers import carry_out
target = Target.from_json(json.loads({json.dumps(target.to_json())!r}))
carry_out(Plan(tuple(PlanItem("keywords", n, "in_network") for n in range(200))), target, Path({str(spool)!r}), 100.0)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not spool.is_file() or spool.read_bytes().count(b"\n") < 4:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    kept = spool.read_bytes().count(b"\n") - 1
    before = spool.read_bytes()
    plan = Plan(tuple(PlanItem("keywords", n, "in_network") for n in range(kept + 2)))
    records = carry_out(plan, target, spool, 100.0)
    assert spool.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    assert {f"keywords:{n}" for n in range(kept + 2)} <= {r.context for r in records}


def test_failures_do_not_end_a_run(
    fake_target: Callable[..., Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "ITEM_SECONDS", 1.5)
    target = fake_target(crash="keywords:1", hang="keywords:2", refuse="keywords:4")
    plan = Plan(tuple(PlanItem("keywords", n, "in_network") for n in range(6)))
    records = carry_out(plan, target, tmp_path / "spool", 100.0)
    errors = {r.context: r.error for r in records}
    assert errors == {f"keywords:{n}": {1: "crash", 2: "timeout", 4: "unsupported"}.get(n) for n in range(6)}
