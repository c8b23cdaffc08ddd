"""Processors as Linux shows them, in made-up folders: boards, phones, emulators."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lookup_tables import DeviceFingerprint, Target
from profilers import device
from profilers.processor import Processor

ARM_MODALIAS = "cpu:type:aarch64:feature:,0000,0001"
X86_MODALIAS = "cpu:type:x86,ven0000fam0006mod00A7:feature:,0000,0001"
XEON = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx2 hypervisor\n"


def arm(*cores: tuple[str, str]) -> str:
    return "\n".join(
        f"processor\t: {number}\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS\t: 108.00\n"
        "Features\t: fp asimd asimddp\n"
        f"CPU implementer\t: {implementer}\nCPU part\t: {part}\n"
        for number, (implementer, part) in enumerate(cores)
    )


def machine(root: Path, cpuinfo: str, modalias: str = "", arch: str = "", clocks: str = "", board: str = "") -> Path:
    files = {
        "proc/cpuinfo": cpuinfo, "sys/devices/system/cpu/modalias": modalias, "proc/sys/kernel/arch": arch,
        "sys/devices/system/clocksource/clocksource0/available_clocksource": clocks, "proc/device-tree/model": board,
    }  # fmt: skip
    for name, text in files.items():
        if text:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return root


A76, A55, X1 = ("0x41", "0xd0b"), ("0x41", "0xd05"), ("0x41", "0xd44")


def test_a_raspberry_pi(tmp_path: Path) -> None:
    root = machine(tmp_path, arm(*[A76] * 4), ARM_MODALIAS, board="Raspberry Pi 5 Model B Rev 1.0\0")
    seen = Processor.read(root, "aarch64", frozenset(range(4)))
    assert seen.model == "Raspberry Pi 5 Model B (Cortex-A76)"
    assert (seen.vendor, seen.emulated) == ("0x41", False)
    assert "asimd" in seen.flags


def test_a_phone_is_the_cores_that_may_be_used(tmp_path: Path) -> None:
    root = machine(tmp_path, arm(*[A55] * 4, *[A76] * 3, X1))
    assert Processor.read(root, "aarch64", frozenset(range(8))).model == "Cortex-A55 + Cortex-A76 + Cortex-X1"
    assert Processor.read(root, "aarch64", frozenset({7})).model == "Cortex-X1"


def test_cores_without_a_name_keep_their_numbers(tmp_path: Path) -> None:
    assert Processor.read(machine(tmp_path, arm(("0x99", "0xfff"))), "aarch64").model == "ARM 0x99-0xfff"


@pytest.mark.parametrize(
    ("cpuinfo", "modalias", "arch", "program", "clocks", "emulated"),
    [
        pytest.param(XEON, X86_MODALIAS, "x86_64", "x86_64", "tsc kvm-clock", False, id="a virtual machine"),
        pytest.param(XEON, X86_MODALIAS, "x86_64", "i686", "tsc", False, id="programs of 32 bits"),
        pytest.param(arm(A76), ARM_MODALIAS, "aarch64", "armv8l", "", False, id="programs of 32 bits on ARM"),
        pytest.param(XEON, "", "", "aarch64", "tsc", True, id="QEMU shows the host's processor"),
        pytest.param(arm(A76), X86_MODALIAS, "", "aarch64", "tsc", True, id="QEMU makes one up"),
        pytest.param(arm(A76), "", "x86_64", "aarch64", "tsc", True, id="QEMU in a container without /sys"),
        pytest.param(XEON.replace("GenuineIntel", "VirtualApple"), "", "", "x86_64", "", True, id="Rosetta"),
        pytest.param(XEON.replace("Intel(R) Xeon(R)", "QEMU TCG CPU version 2.5+"), "", "", "x86_64", "tsc", True,
                     id="a machine of software"),
        pytest.param(XEON.replace("Intel(R) Xeon(R)", "QEMU Virtual CPU version 2.5+"), "", "", "x86_64",
                     "kvm-clock tsc", False, id="a real processor that QEMU names"),
    ],
)  # fmt: skip
def test_emulation_is_noticed(cpuinfo, modalias, arch, program, clocks, emulated, tmp_path: Path) -> None:
    assert Processor.read(machine(tmp_path, cpuinfo, modalias, arch, clocks), program).emulated is emulated


def test_nothing_of_the_host_is_believed(tmp_path: Path) -> None:
    seen = Processor.read(machine(tmp_path, XEON, X86_MODALIAS), "aarch64")
    assert seen == Processor(emulated=True)


def test_targets_of_emulated_processors_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = device.local_target()
    found = replace(device.processor(), emulated=True)
    monkeypatch.setattr(device, "processor", lambda: found)
    emulated = device.local_target()
    assert emulated.emulated
    assert "-emulated-" in emulated.id
    assert emulated.id != real.id
    assert Target.from_json(json.loads(json.dumps(emulated.to_json()))).emulated


def test_instruction_set_of_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.platform, "machine", lambda: "aarch64")
    for flags, expected in ((("asimd",), "neon"), (("asimd", "asimdhp"), "neon_fp16"), ((), "neon")):
        monkeypatch.setattr(device, "processor", lambda flags=flags: Processor(flags=frozenset(flags)))
        assert device.instruction_set() == expected
    assert DeviceFingerprint(Processor(model="Raspberry Pi 5 Model B (Cortex-A76)").model).slug == (
        "raspberry-pi-5-model-b-cortex-a76"
    )
