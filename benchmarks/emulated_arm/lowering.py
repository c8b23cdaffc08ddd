"""What onnxruntime for aarch64 makes of models, seen from here: emulated Python only loads, we read what it wrote."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.emulated_arm.machine import ROOT, EmulatedArm, NoEmulation
from graphs import Kernel, LoweringProfile, kernels_of
from profilers.runtimes.onnxruntime_cpu import read_optimised

DATA = ROOT / "graphs/lowering/data"

_PROFILE = "import json; from profilers import local_target; print(json.dumps(local_target().lowering.to_json()))"


def profile_of(machine: EmulatedArm) -> LoweringProfile:
    """The machine's own, blocks of convolutions included."""
    return LoweringProfile.from_json(json.loads(machine.ask("-c", _PROFILE)))


def write_kernel_types(machine: EmulatedArm, profile: LoweringProfile) -> Path | None:
    """Write the kernels that the machine has beside those of x86 to where `graphs.lowering.kernel_types` looks.

    None where there are no more. Operators that it lacks occur in no model.
    """
    known = DATA / f"{profile.runtime}-{profile.version}-{profile.provider}.json"
    ours = _spelled_out(json.loads(known.read_text()))
    theirs = _spelled_out(json.loads(machine.ask("-m", "profilers.runtimes.kernel_types")))
    more = {kind: [k for k in kernels if k not in ours[kind]] for kind, kernels in theirs.items()}
    lines = [f"{json.dumps(kind)}: {json.dumps(kernels)}" for kind, kernels in sorted(more.items()) if kernels]
    if not lines:
        return None
    file = known.with_stem(f"{known.stem}-{profile.isa}")
    file.write_text('{"kernels": {\n' + ",\n".join(lines) + "\n}}\n")
    return file


def _spelled_out(table: dict[str, Any]) -> dict[str, list[Any]]:
    """Kernels by operator, with their element types."""
    sets = [sorted(names) for names in table["sets"]]
    return {
        kind: [[first, last, {v: sets[i] for v, i in types.items()}] for first, last, types in found["kernels"]]
        for kind, found in table["operators"].items()
    }


def observe(machine: EmulatedArm, models: Mapping[str, bytes]) -> Iterator[tuple[str, list[Kernel] | str]]:
    """The kernels of each model by name, or why the runtime refuses it; one after the other.

    Raises:
        NoEmulation: the emulated process died.
    """
    names = list(models)
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryFile("w+") as errors:
        folder = Path(temporary)
        for number, name in enumerate(names):
            (folder / f"{number:04d}.onnx").write_bytes(models[name])
        command = [str(machine.python), str(Path(__file__).with_name("optimise.py")), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield names[int(line)], _read(folder / line.strip())
        if process.returncode != 0:
            errors.seek(0)
            raise NoEmulation(f"the emulated runtime ended with {process.returncode}: {errors.read()[-1000:]}")


def _read(folder: Path) -> list[Kernel] | str:
    refused = folder / "refused.txt"
    return refused.read_text() if refused.exists() else kernels_of(read_optimised(folder / "optimised.onnx"))
