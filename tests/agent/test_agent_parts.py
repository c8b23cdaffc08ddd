"""The parts of an agent: when it may measure, what it keeps, what it distrusts, and how little it loads."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archgauge_client import ProblemError
from archgauge_client.wire import Problem
from archgauge_client.wire_agents import Lease
from graphs import GraphError, write_json
from graphs.spaces import sample
from lookup_tables import PlanItem, Target
from profilers.agent.describing import Description
from profilers.agent.enrolling import enrol
from profilers.agent.home import Home, Identity
from profilers.agent.measuring import MAX_DEATHS, Measuring
from profilers.agent.pacing import Pace, QuietHours, temperature_c
from profilers.agent.patience import Patience
from profilers.agent.sending import item_key
from profilers.errors import AgentError, DeviceChanged, InvalidSpool
from profilers.given import read_given

ITEMS = [PlanItem("resnet", seed, "whole_model") for seed in range(2)]


def lease(target: str, **more: Any) -> Lease:
    items = [{"index": n, "item": item.to_json(), "repetition": 0} for n, item in enumerate(ITEMS)]
    return Lease.model_validate({
        "id": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c88", "fence": 1, "campaign": "c", "target": target, "protocol": 1,
        "ttl_s": 60.0, "until": "2026-01-02T03:04:05Z", "limits": {"seconds": 60.0}, "items": items, **more,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "moment", "quiet"),
    [
        ("08:00-19:00", "12:00", True), ("08:00-19:00", "07:59", False), ("08:00-19:00", "19:00", False),
        ("22:00-07:00", "23:30", True), ("22:00-07:00", "03:00", True), ("22:00-07:00", "12:00", False),
    ],
)  # fmt: skip
def test_quiet_hours_may_go_over_midnight(hours: str, moment: str, quiet: bool) -> None:
    now = datetime.fromisoformat(f"2026-01-02T{moment}")
    assert (Pace(QuietHours.parse(hours)).reason_to_wait(now) is not None) is quiet


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "25:00-07:00", "a-b"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        QuietHours.parse(text)


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    assert temperature_c(tmp_path) is None
    for number, text in enumerate(("51500\n", "-274000\n", "", "70250")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert temperature_c(tmp_path) == 70.25


def test_a_key_is_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "agent")
    assert home.identity() is None
    identity = Identity("http://server", "id", "board", "ag_secret")
    home.remember(identity)
    assert Home(tmp_path / "agent").identity() == identity
    assert stat.S_IMODE((tmp_path / "agent" / "agent.json").stat().st_mode) == 0o600
    with home.alone(), pytest.raises(AgentError, match="another agent"), Home(tmp_path / "agent").alone():
        pass


def test_a_lease_is_kept_until_it_is_done_with(tmp_path: Path) -> None:
    home = Home(tmp_path)
    folder = home.take(lease("t"))
    assert [kept.lease for kept in home.leases()] == [folder.lease]
    assert [folder.begin(1), folder.begin(1), folder.begin(0)] == [0, 1, 0]
    (tmp_path / "leases" / "half").mkdir()  # killed before it began
    assert len(home.leases()) == 1 and not (tmp_path / "leases" / "half").exists()
    folder.remove()
    assert home.leases() == []


def test_what_was_measured_is_not_measured_again(tmp_path: Path, target: Target) -> None:
    folder = Home(tmp_path).take(lease(target.id))
    with Measuring(folder, target) as measuring:
        made = measuring.measure(measuring.left()[0])
        assert made.failed == 0 and made.sentinel_us
    with Measuring(folder, target) as measuring:
        assert [item.index for item in measuring.left()] == [1]
    (entry,) = folder.entries()
    assert entry["item"] == item_key(ITEMS[0].to_json()) == ITEMS[0].key
    with folder.spool.open("ab") as stream:
        stream.write(b'{"item": "cut')  # a kill in the middle of a write
    assert folder.entries() == [entry]


def test_an_item_that_kills_the_agent_is_a_crash(tmp_path: Path, target: Target) -> None:
    folder = Home(tmp_path).take(lease(target.id))
    for _ in range(MAX_DEATHS):
        folder.begin(0)
    with Measuring(folder, target) as measuring:
        assert measuring.measure(measuring.left()[0]).failed == 1
    (entry,) = folder.entries()
    assert entry["records"][0]["error"] == "crash" and "the agent died" in entry["records"][0]["detail"]


def test_a_spool_of_another_target_is_not_gone_on_with(tmp_path: Path, target: Target) -> None:
    folder = Home(tmp_path).take(lease(target.id))
    Measuring(folder, target).close()
    with pytest.raises(InvalidSpool):
        Measuring(folder, replace(target, threads=2))


def test_a_device_that_changed_measures_nothing(tmp_path: Path, target: Target) -> None:
    """A runtime that was upgraded under a running agent belongs to another target."""
    other = replace(target, runtime_version="0.9.0")
    folder = Home(tmp_path).take(lease(other.id))
    with Measuring(folder, other) as measuring, pytest.raises(DeviceChanged, match=target.id):
        measuring.measure(measuring.left()[0])
    assert folder.entries() == [] and folder.begin(0) == 0


def test_a_polite_end_is_not_the_items_fault(tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    folder = Home(tmp_path).take(lease(target.id))
    monkeypatch.setattr(Measuring, "_ask", stop)
    with Measuring(folder, target) as measuring, pytest.raises(KeyboardInterrupt):
        measuring.measure(measuring.left()[0])
    assert folder.begin(0) == 0


def test_what_is_on_a_full_disk_is_kept(tmp_path: Path, target: Target) -> None:
    """The item that no longer fits is measured again when it does."""
    many = [PlanItem("resnet", 0, "network+whole"), PlanItem("resnet", 1, "network+whole")]
    items = [{"index": n, "item": item.to_json(), "repetition": 0} for n, item in enumerate(many)]
    folder = Home(tmp_path).take(lease(target.id, items=items))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Measuring(folder, target) as measuring:
        measuring.measure(measuring.left()[0])
        size = folder.spool.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                measuring.measure(measuring.left()[0])
            with suppress(OSError):
                measuring.close()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [entry["item"] for entry in folder.entries()] == [many[0].key]
    with Measuring(folder, target) as measuring:
        assert [item.index for item in measuring.left()] == [1]
        measuring.measure(measuring.left()[0])
    assert [entry["item"] for entry in folder.entries()] == [item.key for item in many]


def test_a_key_is_not_asked_for_where_it_cannot_be_kept(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profilers.agent.home.ROOM_BYTES", 2**62)
    home, said = Home(tmp_path), list[str]()
    assert "no room" in (home.lack_of_room() or "")
    patience = Patience(0.05, said.append)
    with pytest.raises(AgentError, match="no room"):
        enrol("http://127.0.0.1:1", home, Description(target, {}), patience, token=None, key=None, name=None,
              say=said.append)  # fmt: skip
    assert len(said) == 1 and said[0].startswith("waiting: the disk has no room")


def test_a_key_that_came_late_may_be_unknown_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device that takes a minute to describe itself: the service learns of its key within seconds."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now, sleep=lambda _: None)
    monkeypatch.setattr("profilers.agent.patience.time", clock)
    patience = Patience(None, lambda _: None)
    refusal = ProblemError(Problem(type="about:blank", title="An API key is needed", status=401))
    clock.now = 90.0
    patience.begin_with_key()
    patience.bear(refusal)
    clock.now = 120.0
    with pytest.raises(ProblemError):
        patience.bear(refusal)


def test_graphs_of_others_are_distrusted() -> None:
    data = write_json(sample("resnet", 3))
    assert read_given(data).nodes
    strange = {**data, "nodes": [{**data["nodes"][0], "domain": "evil", "op": "Shell"}, *data["nodes"][1:]]}
    for broken in (strange, {**data, "nodes": "none"}, {}):
        with pytest.raises(GraphError):
            read_given(broken)


def test_a_given_graph_is_measured(tmp_path: Path, target: Target) -> None:
    item = PlanItem("graph-0a", 0, "whole_model", "holdout")
    data = {"index": 0, "item": item.to_json(), "graph": write_json(sample("resnet", 3)), "repetition": 0}
    folder = Home(tmp_path).take(lease(target.id, items=[data]))
    with Measuring(folder, target) as measuring:
        assert measuring.measure(measuring.left()[0]).failed == 0
    (record,) = folder.entries()[0]["records"]
    assert (record["context"], record["split"], record["mode"]) == ("graph-0a:0", "holdout", "whole_model")


def test_an_agent_loads_neither_a_runtime_nor_a_server() -> None:
    code = (
        "import sys, profilers.agent, archgauge.commands.agent;"
        "heavy = {'fastapi', 'sqlalchemy', 'xgboost', 'sklearn', 'scipy', 'pyarrow', 'onnx', 'onnxruntime', 'numpy'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
