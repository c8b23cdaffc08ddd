"""ONNX bytes → `Graph`. Weights are read as shapes, small constants keep their values, external data stays closed."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from graphs.errors import InvalidGraph, MissingValue
from graphs.inference.elementwise import dtype_of, element_type
from graphs.ir import MAX_VALUE_ELEMENTS, Attribute, Graph, Masking, Node, Parameter, TensorType, Value
from graphs.masking import hidden, masking
from graphs.onnx_protos import tensor_value
from graphs.validation import validate

_CONSTANT_ATTRIBUTES = {
    "value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64,
    "value_string": np.object_, "value_strings": np.object_,
}  # fmt: skip


#: Metadata of a stripped constant: which share of it hides attention scores.
MASKING_KEY = "archgauge.masking"

#: Element types of masks, by number.
_MASK_TYPES = {1: np.float32, 9: np.bool_, 10: np.float16}


def read_onnx(data: bytes, name: str = "") -> Graph:
    """Read a model of opset 9 or newer.

    Initialisers, Constant nodes and ConstantOfShape nodes of constant shape become parameters; overridable
    initialisers (those that are inputs too) as well. Functions of the model are inlined.
    Raises InvalidGraph or UnsupportedOperator.
    """
    model = _parse(data)
    if model.functions:
        from graphs.onnx_functions import inlined

        model = inlined(model)
    opset = {o.domain if o.domain != "ai.onnx" else "": o.version for o in model.opset_import}
    opset.setdefault("", 21)
    graph = Graph(name or model.graph.name, opset)
    _read_graph(model.graph, graph)
    validate(graph)
    return graph


def _parse(data: bytes) -> ModelProto:
    try:
        model: ModelProto = ModelProto.FromString(data)
    except DecodeError as error:
        raise InvalidGraph("not an ONNX model: the bytes are no protobuf message") from error
    if not model.HasField("graph") or not model.opset_import:
        raise InvalidGraph("not an ONNX model: it has no graph or imports no operator set")
    return model


def read_body(proto: GraphProto) -> Graph:
    """A graph inside of another one: the body of a control operator, or of an operator that is a function."""
    body = Graph(proto.name, {})
    _read_graph(proto, body, nested=True)
    return body


def _read_graph(proto: GraphProto, graph: Graph, nested: bool = False) -> None:
    """Fill ``graph``; the inputs of a nested one may lack types, and its operator sets are those of the outer one."""
    parameters = graph.parameters
    for tensor in proto.initializer:
        parameters[tensor.name] = _parameter(tensor)
    for sparse in proto.sparse_initializer:
        shape = TensorType(element_type(sparse.values.data_type), tuple(sparse.dims))
        parameters[sparse.values.name] = Parameter(shape)
    for info in proto.input:
        if info.name not in parameters:
            graph.inputs.append(info.name)
            if not nested or info.type.tensor_type.HasField("shape"):
                graph.types[info.name] = _input_type(info)
    graph.outputs.extend(o.name for o in proto.output)
    for index, node in enumerate(proto.node):
        read, constant = None, None
        if node.op_type in ("Constant", "ConstantOfShape"):
            constant = _tensor_constant(node) or _filled_constant(node, parameters)
            if constant is None:
                read = _node(node, index)
                constant = _constant(read, parameters)
        if constant is None:
            graph.nodes.append(read or _node(node, index))
        elif node.output[0] in parameters:
            raise InvalidGraph(f"tensor {node.output[0]!r} is defined twice")
        else:
            parameters[node.output[0]] = constant
    _check_names(graph)


def _check_names(graph: Graph) -> None:
    """protobuf hands out bytes where a text is not UTF-8; as names they would fail somewhere later."""
    names: list[object] = [graph.name, *graph.opset, *graph.inputs, *graph.outputs, *graph.parameters]
    for node in graph.nodes:
        names += (node.op, node.domain, node.name, *node.inputs, *node.outputs, *node.attributes)
    for type_ in graph.types.values():
        names += (dim for dim in type_.shape if dim is not None and not isinstance(dim, int))
    for name in names:
        if not isinstance(name, str):
            raise InvalidGraph(f"a name in the model is not UTF-8: {name!r}")


def _input_type(info: ValueInfoProto) -> TensorType:
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        raise InvalidGraph(f"input {info.name!r} is a {kind or 'thing without type'}; only tensors are supported")
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        raise InvalidGraph(f"input {info.name!r} has no shape, not even a rank; declare it in the model")
    dims = (d.dim_param or (d.dim_value if d.dim_value > 0 else None) for d in tensor.shape.dim)
    return TensorType(element_type(tensor.elem_type), tuple(dims))


def _parameter(tensor: TensorProto) -> Parameter:
    """A weight's type, and its value where it is small and in the file."""
    shape = tuple(tensor.dims)
    if min(shape, default=1) < 0:
        raise InvalidGraph(f"constant {tensor.name!r} has a negative dimension: {list(shape)}")
    type_ = TensorType(element_type(tensor.data_type), shape)
    elements = prod(shape)
    if elements > MAX_VALUE_ELEMENTS or tensor.data_location == 1:
        return Parameter(type_, masking=_masking(tensor, elements))
    return Parameter(type_, _value(tensor, elements))


def _masking(tensor: TensorProto, elements: int) -> Masking | None:
    """What a large constant hides of attention scores: as the client noted it, or from the data.

    Looking at a few numbers tells masks, of which a good part hides, from weights, of which nothing does.
    """
    for entry in tensor.metadata_props or ():
        if entry.key == MASKING_KEY:
            return _noted(entry.value)
    kind = _MASK_TYPES.get(tensor.data_type)
    if kind is None or len(tensor.dims) < 2 or len(tensor.raw_data) != elements * np.dtype(kind).itemsize:
        return None
    numbers: Value = np.frombuffer(tensor.raw_data, kind)
    return hidden(numbers) if hidden(numbers[:: max(1, elements // 1000 | 1)]) else None


def _noted(text: str) -> Masking | None:
    try:
        vanishing, subnormal = map(float, text.split())
    except ValueError:
        vanishing = subnormal = -1.0
    if not (vanishing >= 0.0 and subnormal >= 0.0 and vanishing + subnormal <= 1.0001):  # not a number is neither
        raise InvalidGraph(
            f"metadata {MASKING_KEY} of a constant must be two shares from 0 to 1, such as '0.5 0.0', not {text!r}"
        )
    return masking(vanishing, subnormal)


def _value(tensor: TensorProto, elements: int) -> Value | None:
    """None where the bytes were stripped."""
    try:
        value = tensor_value(tensor)
    except (ValueError, TypeError):
        return None
    return value if value.size == elements else None


def _node(proto: NodeProto, index: int) -> Node:
    op, domain = proto.op_type, proto.domain
    return Node(
        op,
        list(proto.input),
        list(proto.output),
        {a.name: _attribute(a) for a in proto.attribute},
        "" if domain == "ai.onnx" else domain,
        proto.name or f"{op}_{index}",
    )


def _attribute(proto: AttributeProto) -> Attribute:
    kind = proto.type
    if kind == 7:  # INTS
        return tuple(proto.ints)
    if kind == 2:  # INT
        return proto.i
    if kind == 1:  # FLOAT
        return proto.f
    if kind == 3:  # STRING
        return _text(proto.s)
    return _rare_attribute(proto)


def _rare_attribute(proto: AttributeProto) -> Attribute:
    kind = proto.type
    if kind == AttributeProto.FLOATS:
        return tuple(proto.floats)
    if kind == AttributeProto.STRINGS:
        return tuple(str(_text(s)) for s in proto.strings)
    if kind == AttributeProto.TENSOR:
        value = _value(proto.t, prod(proto.t.dims))
        if value is None:
            name = str(proto.name)  # bytes where it is not UTF-8
            raise MissingValue(name, f"the data of the tensor in attribute {name!r} is not in the file")
        return value
    if kind == AttributeProto.GRAPH:
        return read_body(proto.g)
    raise InvalidGraph(f"attribute {proto.name!r} is of a kind that is not supported ({kind})")


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _tensor_constant(proto: NodeProto) -> Parameter | None:
    """The parameter that a Constant node with a tensor stands for; a large one's data may have been stripped."""
    if proto.op_type != "Constant" or proto.domain not in ("", "ai.onnx") or len(proto.output) != 1:
        return None
    for attribute in proto.attribute:
        if attribute.name == "value" and attribute.type == AttributeProto.TENSOR:
            return _parameter(attribute.t)
    return None


def _constant(node: Node, parameters: dict[str, Parameter]) -> Parameter | None:
    """What a Constant node, or a ConstantOfShape node of a known shape, stands for."""
    if node.domain or len(node.outputs) != 1:
        return None
    if node.op == "Constant":
        return _constant_value(node)
    if node.op != "ConstantOfShape" or len(node.inputs) != 1:
        return None
    return _filled(parameters.get(node.inputs[0]), node.attributes.get("value"), node.name)


def _filled_constant(proto: NodeProto, parameters: dict[str, Parameter]) -> Parameter | None:
    """As `_constant` for a ConstantOfShape node, of which files without weights have more than of all others."""
    if proto.op_type != "ConstantOfShape" or proto.domain not in ("", "ai.onnx") or len(proto.attribute) > 1:
        return None
    if len(proto.input) != 1 or len(proto.output) != 1:
        return None
    fill = _fill(proto.attribute[0].SerializeToString()) if proto.attribute else None
    return _filled(parameters.get(proto.input[0]), fill, proto.name)


@lru_cache(maxsize=64)
def _fill(attribute: bytes) -> Attribute:
    """The value of an encoded attribute."""
    return _attribute(AttributeProto.FromString(attribute))


def _filled(shape: Parameter | None, fill: Attribute | None, name: str) -> Parameter | None:
    """The constant of a known ``shape`` whose elements are all ``fill`` (0 where nothing is said)."""
    if shape is None or shape.value is None or shape.value.dtype.kind != "i":
        return None
    value = fill if isinstance(fill, np.ndarray) and fill.size == 1 else np.zeros(1, np.float32)
    dims: tuple[int, ...] = tuple(shape.value.reshape(-1).tolist())
    if min(dims, default=0) < 0:
        raise InvalidGraph(f"ConstantOfShape {name!r}: negative dimension in {list(dims)}")
    type_ = TensorType(dtype_of(value), dims)
    small = prod(dims) <= MAX_VALUE_ELEMENTS
    return Parameter(type_, np.full(dims, value.item(), value.dtype) if small else None, float(value.item()))


def _constant_value(node: Node) -> Parameter:
    for name, attribute in node.attributes.items():
        if isinstance(attribute, np.ndarray):
            value = attribute
        elif name in _CONSTANT_ATTRIBUTES:
            value = np.array(attribute, _CONSTANT_ATTRIBUTES[name])
        else:
            continue
        dtype = dtype_of(value)
        small = value.size <= MAX_VALUE_ELEMENTS
        return Parameter(TensorType(dtype, value.shape), value if small else None)
    raise InvalidGraph(f"Constant {node.name!r} has no value that is supported: {sorted(node.attributes)}")
