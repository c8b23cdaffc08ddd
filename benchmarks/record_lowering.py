"""Record what the installed runtime makes of onnx's nine real networks, as a fixture of the lowering tests.

    python benchmarks/record_lowering.py

Run it after an upgrade of the runtime; the difference to the file of the last release shows what changed.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import onnx

from graphs import prepare
from profilers import local_target, observe_lowering

FIXTURES = Path(__file__).parent.parent / "tests/lowering/fixtures"


def main() -> None:
    profile = local_target().lowering
    networks = {}
    for file in sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx")):
        kernels = observe_lowering(prepare(file.read_bytes()))
        networks[file.stem] = dict(sorted(Counter(k.key for k in kernels).items()))
    target = FIXTURES / f"{profile.runtime}-{profile.version}-{profile.provider}-{profile.isa}.json"
    target.write_text(json.dumps({"profile": profile.to_json(), "networks": networks}, indent=1) + "\n")
    print(target)


if __name__ == "__main__":
    main()
