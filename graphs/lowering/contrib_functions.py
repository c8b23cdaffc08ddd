"""Bodies of com.microsoft's operators that onnxruntime defines as functions, for element types without a kernel.

After onnxruntime/core/graph/contrib_ops/contrib_defs.cc (1.31). Constants have the type of the first input.
"""

from __future__ import annotations

import numpy as np

from graphs.ir import Graph, Node, Parameter, TensorType

_Steps = list[tuple[str, list[str], str]]

_GELU: _Steps = [
    ("Mul", ["c", "x"], "scaled"), ("Erf", ["scaled"], "erf"), ("Add", ["erf", "one"], "shifted"),
    ("Mul", ["shifted", "half"], "share"), ("Mul", ["x", "share"], "y"),
]  # fmt: skip
_FAST_GELU: _Steps = [
    ("Mul", ["biased", "biased"], "square"), ("Mul", ["k", "square"], "cubic"), ("Add", ["root", "cubic"], "slope"),
    ("Mul", ["biased", "slope"], "inner"), ("Tanh", ["inner"], "tanh"), ("Add", ["one", "tanh"], "shifted"),
    ("Mul", ["biased", "shifted"], "product"), ("Mul", ["half", "product"], "y"),
]  # fmt: skip
_ROOT = 0.7978845608028654
_NUMBERS = {"c": 0.5**0.5, "one": 1.0, "half": 0.5, "root": _ROOT, "k": 0.044715 * _ROOT}


def contrib_body(graph: Graph, node: Node) -> Graph | None:
    """What ``node`` computes, in operators of the standard; None where the runtime has no function for it."""
    if node.kind == "com.microsoft.Gelu":
        steps = _GELU
    elif node.kind == "com.microsoft.FastGelu":
        biased = len(node.inputs) > 1 and bool(node.inputs[1])
        steps = [("Add" if biased else "Identity", ["x", "bias"] if biased else ["x"], "biased"), *_FAST_GELU]
    else:
        return None
    dtype = graph.types[node.inputs[0]].dtype
    body = Graph(node.op, {}, ["x", "bias"][: len(node.inputs)], ["y"])
    for op, inputs, output in steps:
        body.nodes.append(Node(op, inputs, [output], name=output))
        for name in inputs:
            if name in _NUMBERS:
                body.parameters[name] = Parameter(TensorType(dtype, ()), np.array(_NUMBERS[name], dtype))
    return body
