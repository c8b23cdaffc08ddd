import json
from dataclasses import replace
from typing import Any

import pytest

from lookup_tables import DeviceFingerprint, InvalidRecord, Target


def test_target_survives_json(target: Target) -> None:
    again = Target.from_json(json.loads(json.dumps(target.to_json())))
    assert again == target
    assert again.id == target.id
    assert again.device.observed == target.device.observed


def test_id_is_readable_and_safe(target: Target) -> None:
    slug, _, digest = target.id.rpartition("-")
    assert slug == "intel-xeon-processor-onnxruntime-1.31.1-cpu-1t"
    assert len(digest) == 8
    wild = replace(target, device=DeviceFingerprint("../../etc/Процессор\0"))
    assert "/" not in wild.id
    assert not wild.id.startswith(".")


@pytest.mark.parametrize(
    "change",
    [
        {"runtime_version": "1.31.2"}, {"threads": 2}, {"power_mode": "powersave"}, {"provider": "CUDA"},
        {"options": (("arena", "0"),)}, {"emulated": True},
    ],
)  # fmt: skip
def test_any_change_makes_another_target(target: Target, change: dict[str, Any]) -> None:
    assert replace(target, **change).id != target.id


@pytest.mark.parametrize("change", [{"cpu_model": "B"}, {"isa": ("avx2",)}, {"memory_gib": 48}, {"os_version": "7.0"}])
def test_any_change_of_the_device_makes_another_target(target: Target, change: dict[str, Any]) -> None:
    assert replace(target, device=replace(target.device, **change)).id != target.id


def test_what_wobbles_is_recorded_but_not_hashed(target: Target) -> None:
    later = replace(target, device=replace(target.device, observed=(("mhz", "3400"), ("release", "6.18.45"))))
    assert later.id == target.id
    assert later.to_json()["device"]["observed"] == {"mhz": "3400", "release": "6.18.45"}


def test_order_of_options_does_not_matter(target: Target) -> None:
    one = replace(target, options=(("a", "1"), ("b", "2")))
    assert replace(target, options=(("b", "2"), ("a", "1"))).id == one.id


def test_edited_target_is_refused(target: Target) -> None:
    data = target.to_json()
    data["threads"] = 2
    with pytest.raises(InvalidRecord, match="calls itself"):
        Target.from_json(data)


@pytest.mark.parametrize(
    "data",
    [
        {}, {"device": {}}, {"device": "x"}, {"device": [["cpu_model", "x"]]},
        {"device": {"cpu_model": "x", "caches": 3}}, {"device": {"cpu_model": 3}},
        {"device": {"cpu_model": "x", "cores": "4"}}, {"device": {"cpu_model": "x"}, "runtime": 7},
        {"device": {"cpu_model": "x"}, "threads": True}, {"device": {"cpu_model": "x"}, "runtime": 300 * "x"},
        {"device": {"cpu_model": "x"}, "lowering": {"version": "new"}},
        {"device": {"cpu_model": "x"}, "lowering": {"nchwc_block": -3}},
        {"device": {"cpu_model": "x"}, "lowering": [1]},
    ],
)  # fmt: skip
def test_nonsense_is_no_target(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        Target.from_json(data)
