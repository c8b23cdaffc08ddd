"""Architecture graphs: the intermediate representation, readers and writers, shape inference, lowering, search spaces.

The way of a graph: ``read`` → ``bind`` → ``infer`` (together: ``prepare``) → ``lower`` → kernels. Names are imported
when they are first used, so that records and keys need neither onnx nor numpy-heavy code.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphs.errors import (
    GraphError,
    InvalidChoices,
    InvalidGraph,
    InvalidSearchSpace,
    MissingValue,
    UnboundDimension,
    UnsupportedOperator,
)
from graphs.kernels import Kernel, Operand

if TYPE_CHECKING:
    from graphs.binding import bind
    from graphs.costs import bytes_read, bytes_written, flops
    from graphs.hashing import graph_hash
    from graphs.inference import infer
    from graphs.ir import Graph, Node, Parameter, TensorType
    from graphs.json_form import read_json, write_json
    from graphs.kernel_graph import kernel_graph
    from graphs.kernels_of import kernels_of
    from graphs.lowering import lower, optimise
    from graphs.lowering.profile import LoweringProfile
    from graphs.memory import MemoryUse, memory_over_time, memory_use, peak_memory
    from graphs.onnx_reader import read_onnx
    from graphs.onnx_writer import write_onnx
    from graphs.reading import prepare, read
    from graphs.validation import validate

#: Modules of the names that are imported when they are first used.
_HOMES = {
    "Graph": "graphs.ir", "LoweringProfile": "graphs.lowering.profile", "MemoryUse": "graphs.memory",
    "Node": "graphs.ir", "Parameter": "graphs.ir", "TensorType": "graphs.ir", "bind": "graphs.binding",
    "bytes_read": "graphs.costs", "bytes_written": "graphs.costs", "flops": "graphs.costs",
    "graph_hash": "graphs.hashing", "infer": "graphs.inference", "kernel_graph": "graphs.kernel_graph",
    "kernels_of": "graphs.kernels_of", "lower": "graphs.lowering", "memory_over_time": "graphs.memory",
    "memory_use": "graphs.memory", "optimise": "graphs.lowering", "peak_memory": "graphs.memory",
    "prepare": "graphs.reading", "read": "graphs.reading", "read_json": "graphs.json_form",
    "read_onnx": "graphs.onnx_reader", "validate": "graphs.validation", "write_json": "graphs.json_form",
    "write_onnx": "graphs.onnx_writer",
}  # fmt: skip

__all__ = [
    "Graph", "GraphError", "InvalidChoices", "InvalidGraph", "InvalidSearchSpace", "Kernel", "LoweringProfile",
    "MemoryUse", "MissingValue", "Node", "Operand", "Parameter", "TensorType", "UnboundDimension",
    "UnsupportedOperator", "bind", "bytes_read", "bytes_written", "flops", "graph_hash", "infer", "kernel_graph",
    "kernels_of", "lower", "memory_over_time", "memory_use", "optimise", "peak_memory", "prepare", "read", "read_json",
    "read_onnx", "validate", "write_json", "write_onnx",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'graphs' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Importing a submodule sets it as an attribute; it must not hide a function of the same name (`kernels_of`)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
