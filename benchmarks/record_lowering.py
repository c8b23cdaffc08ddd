"""Record what the installed runtime makes of onnx's nine real networks, and of some synthetic ones.

The file is a fixture of the lowering tests.

    python -m benchmarks.record_lowering

Run it after an upgrade of the runtime; the difference to the file of the last release shows what changed. The same for
ARM is recorded by ``python -m benchmarks.emulated_arm lowering --record``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from graphs import Graph, Kernel, LoweringProfile, kernels_of, prepare, write_onnx
from graphs.masking import SLOWING
from graphs.spaces import sample
from profilers import local_target
from profilers.runtimes import Loading, make_runtime

FIXTURES = Path(__file__).parent.parent / "tests/lowering/fixtures"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

#: Synthetic networks, by family and seed: of every precision, and where instruction sets differ most.
SYNTHETIC = (
    "resnet-int8:1", "mbconv-int8:1", "shufflenet-v2-int8:1", "densenet-int8:1", "vit-int8:1", "bert-int8:1",
    "convnext-int8:1", "mobilevit-int8:1", "unet-int8:1", "detector-int8:1", "reparameterised-int8:0",
    "bert-dynamic-int8:1", "t5-dynamic-int8:1", "gpt-weights-int8:1", "recurrent-dynamic-int8:0",
    "resnet-fp16:1", "mbconv-fp16:1", "convnext-fp16:1", "vit-fp16:1", "unet-fp16:1", "llama-fp16:1",
    "resnet:1", "mbconv:1", "shufflenet:1", "densenet:1", "levit:1", "swin:1", "conformer:1", "gpt:1", "unet:1",
    "super-resolution:1", "video:1", "layouts:1",
)  # fmt: skip


def names() -> list[str]:
    """All that is recorded."""
    return [*sorted(file.stem for file in LIGHT.glob("*.onnx")), *SYNTHETIC]


def network(name: str) -> Graph:
    """``resnet:1`` is synthetic, by family and seed; a name without a seed is a file of onnx's."""
    family, _, seed = name.partition(":")
    return sample(family, int(seed)) if seed else prepare((LIGHT / f"{name}.onnx").read_bytes())


def summary(kernels: Sequence[Kernel]) -> dict[str, Any]:
    """The kinds, to see what differs, and a hash over the keys of all kernels, in no order.

    What of the data slows a kernel down is left aside: what the runtime writes comes without most weights.
    """
    keys = json.dumps(sorted(_without_data(kernel).key for kernel in kernels))
    kinds = Counter(kernel.kind for kernel in kernels)
    return {"kinds": dict(sorted(kinds.items())), "keys": hashlib.sha256(keys.encode()).hexdigest()[:32]}


def _without_data(kernel: Kernel) -> Kernel:
    return replace(kernel, attributes=tuple(pair for pair in kernel.attributes if pair[0] not in SLOWING))


def write(profile: LoweringProfile, observed: Mapping[str, Sequence[Kernel]]) -> Path:
    """Write the fixture of a profile."""
    target = FIXTURES / f"{profile.runtime}-{profile.version}-{profile.provider}-{profile.isa}.json"
    lines = [f"{json.dumps(name)}: {json.dumps(summary(kernels))}" for name, kernels in observed.items()]
    text = f'{{"profile": {json.dumps(profile.to_json())},\n"networks": {{\n' + ",\n".join(lines) + "\n}}\n"
    target.write_text(text)
    return target


def loaded(model: bytes) -> list[Kernel]:
    """What the runtime makes of a model when it loads it."""
    with make_runtime("onnxruntime", "CPUExecutionProvider").load(model, Loading(1, profile=True)) as session:
        return kernels_of(session.executed_graph())


def main() -> None:
    print(write(local_target().lowering, {name: loaded(write_onnx(network(name))) for name in names()}))


if __name__ == "__main__":
    main()
