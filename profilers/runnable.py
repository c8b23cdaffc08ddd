"""Models as they are given → what a runtime loads, bound exactly as predicting binds them.

A file that is static already runs as it is. One with symbolic dimensions runs with its own weights and the sizes of
its inputs written in, since a runtime optimises a static graph otherwise than a symbolic one. A graph, or a model whose
external weights are not there, runs with stand-in weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto

from graphs.binding import bind
from graphs.inference import infer
from graphs.ir import Graph
from graphs.onnx_reader import read_onnx
from graphs.onnx_writer import write_onnx
from graphs.reading import read


@dataclass(frozen=True, slots=True)
class Binding:
    """Sizes of symbolic dimensions, as `graphs.bind` takes them."""

    batch_size: int | None = None
    dims: Mapping[str, int] | None = None
    input_shapes: Mapping[str, Sequence[int]] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "batch_size": self.batch_size,
            "dims": dict(self.dims or {}),
            "input_shapes": {name: list(shape) for name, shape in (self.input_shapes or {}).items()},
        }

    def apply(self, graph: Graph) -> Graph:
        """The graph with static inputs; raises a GraphError."""
        return bind(graph, batch_size=self.batch_size, dims=self.dims, input_shapes=self.input_shapes)


@dataclass(frozen=True, slots=True)
class Runnable:
    """What to load and a graph (bound, not inferred) that says which inputs it takes."""

    source: bytes | Path
    graph: Graph
    base: Path | None = None
    #: Whether the weights are not the model's own.
    stand_in: bool = False


def make_runnable(model: bytes | Path | Graph, binding: Binding) -> Runnable:
    """Bind a model; raises a GraphError where its inputs cannot be bound or the model cannot be read."""
    if isinstance(model, Graph):
        return _from_graph(model, binding)
    data = model if isinstance(model, bytes) else model.read_bytes()
    base = model.resolve().parent if isinstance(model, Path) else None
    if data.lstrip()[:1] == b"{":
        return _from_graph(read(data), binding)
    graph = read_onnx(data)
    bound = binding.apply(graph)
    proto = ModelProto.FromString(data)
    if _external_data_is_missing(proto, base):
        return _from_graph(graph, binding)
    if all(graph.types[name] == bound.types[name] for name in graph.inputs):
        return Runnable(model, bound, base)
    _write_shapes(proto, bound)
    return Runnable(proto.SerializeToString(), bound, base)


def _from_graph(graph: Graph, binding: Binding) -> Runnable:
    bound = infer(binding.apply(graph))
    return Runnable(write_onnx(bound), bound, stand_in=True)


def _write_shapes(proto: ModelProto, bound: Graph) -> None:
    """Static sizes into the declared inputs; symbolic sizes of other tensors follow from them."""
    for declared in proto.graph.input:
        if declared.name in bound.inputs:
            shape = declared.type.tensor_type.shape
            del shape.dim[:]
            for size in bound.types[declared.name].dims:
                shape.dim.add().dim_value = size
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()


def _external_data_is_missing(proto: ModelProto, base: Path | None) -> bool:
    for tensor in proto.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            location = next((e.value for e in tensor.external_data if e.key == "location"), "")
            if base is None or not _inside(base, location):
                return True
    return False


def _inside(base: Path, location: str) -> bool:
    """Whether an external file is there, in the model's own folder: no other place is ever opened."""
    file = (base / location).resolve()
    return file.is_relative_to(base) and file.is_file()
