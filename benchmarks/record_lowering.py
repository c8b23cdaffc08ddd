"""Record what the installed runtime makes of onnx's nine real networks, and of some quantised synthetic ones.

The file is a fixture of the lowering tests.

    python benchmarks/record_lowering.py

Run it after an upgrade of the runtime; the difference to the file of the last release shows what changed.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import onnx

from graphs import Kernel, kernels_of, prepare, write_onnx
from graphs.spaces import sample
from profilers import local_target, observe_lowering
from profilers.runtimes import Loading, make_runtime

FIXTURES = Path(__file__).parent.parent / "tests/lowering/fixtures"


#: Synthetic networks, by family and seed.
QUANTISED = (
    ("resnet-int8", 1), ("mbconv-int8", 1), ("shufflenet-v2-int8", 1), ("densenet-int8", 1), ("vit-int8", 1),
    ("bert-int8", 1), ("convnext-int8", 1), ("mobilevit-int8", 1), ("unet-int8", 1), ("detector-int8", 1),
    ("reparameterised-int8", 0), ("bert-dynamic-int8", 1), ("t5-dynamic-int8", 1), ("gpt-weights-int8", 1),
    ("recurrent-dynamic-int8", 0),
)  # fmt: skip


def loaded_kernels(model: bytes) -> list[Kernel]:
    """What the runtime makes of a model when it loads it."""
    with make_runtime("onnxruntime", "CPUExecutionProvider").load(model, Loading(1, profile=True)) as session:
        return kernels_of(session.executed_graph())


def counted(kernels: list[Kernel]) -> dict[str, int]:
    return dict(sorted(Counter(k.key for k in kernels).items()))


def main() -> None:
    profile = local_target().lowering
    networks = {}
    for file in sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx")):
        kernels = observe_lowering(prepare(file.read_bytes()))
        networks[file.stem] = counted(kernels)
    quantised = {f"{name}:{seed}": counted(loaded_kernels(write_onnx(sample(name, seed)))) for name, seed in QUANTISED}
    target = FIXTURES / f"{profile.runtime}-{profile.version}-{profile.provider}-{profile.isa}.json"
    content = {"profile": profile.to_json(), "networks": networks, "quantised": quantised}
    target.write_text(json.dumps(content, indent=1) + "\n")
    print(target)


if __name__ == "__main__":
    main()
