import json
import os

import pytest

from lookup_tables import DeviceFingerprint, Target
from profilers import fingerprint, local_target
from profilers.device import instruction_set, usable_cores


def test_fingerprint_is_stable_and_complete() -> None:
    device = fingerprint()
    assert device == fingerprint()
    assert device.cpu_model
    assert device.cores >= 1
    assert device.memory_gib >= 1
    assert DeviceFingerprint.from_json(json.loads(json.dumps(device.to_json()))) == device


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot restrict a process")
def test_a_restricted_process_is_on_the_same_device() -> None:
    allowed, device = os.sched_getaffinity(0), fingerprint()
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert fingerprint() == device
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_local_target_names_the_installed_runtime() -> None:
    import onnxruntime

    target = local_target(1)
    assert target.runtime_version == onnxruntime.__version__
    assert onnxruntime.__version__.startswith(target.lowering.version)
    assert target.lowering.isa == instruction_set()
    assert Target.from_json(json.loads(json.dumps(target.to_json()))).id == target.id


def test_blocks_fit_the_instruction_set() -> None:
    expected = {"avx512": 16, "avx2": 8}.get(instruction_set())
    assert expected is None or local_target(1).lowering.nchwc_block == expected


@pytest.mark.parametrize("threads", [0, -1, 10_000])
def test_impossible_numbers_of_threads(threads: int) -> None:
    with pytest.raises(ValueError, match="may use 1 to"):
        local_target(threads)
