"""Static types of every tensor of a graph.

Each themed file registers small rules by operator (`call.rule`); operators of the standard without one go to onnx's
own inference (`fallback`). Values of constants are computed on the way (`values`), since they decide shapes.
"""

from graphs.inference import (
    contrib,
    conv_pool,
    elementwise,
    indexing,
    matmul,
    microsoft,
    nchwc,
    normalise,
    quantize,
    recurrent,
    reduce,
    shape_ops,
    transformer,
)
from graphs.inference.call import RULES, Call, rule
from graphs.inference.engine import infer

__all__ = [
    "RULES", "Call", "contrib", "conv_pool", "elementwise", "indexing", "infer", "matmul", "microsoft", "nchwc",
    "normalise", "quantize", "recurrent", "reduce", "rule", "shape_ops", "transformer",
]  # fmt: skip
