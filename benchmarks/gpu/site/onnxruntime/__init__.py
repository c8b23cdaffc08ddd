"""The real onnxruntime, which stands behind this on the path of modules, with `benchmarks.gpu.simulation`'s GPU."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_REAL = next(
    Path(folder) / "onnxruntime"
    for folder in sys.path
    if (Path(folder) / "onnxruntime" / "capi").is_dir() and (Path(folder) / "onnxruntime").resolve() != _HERE
)
__path__ = [str(_REAL)]
__file__ = str(_REAL / "__init__.py")
exec(compile((_REAL / "__init__.py").read_text(), __file__, "exec"))

from benchmarks.gpu.simulation import simulate  # noqa: E402

globals().update(simulate(sys.modules[__name__]))
