"""The JSON form of a graph: ONNX operator names and semantics, no weights.

Tensors among attributes are objects ``{"dtype", "shape", "value"}``, subgraphs are objects with ``nodes``. Numbers that
JSON cannot say are the strings "Infinity", "-Infinity" and "NaN".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from typing import Any

import numpy as np

from graphs.dtypes import BITS
from graphs.errors import InvalidGraph
from graphs.inference.elementwise import dtype_of
from graphs.ir import MAX_VALUE_ELEMENTS, Attribute, Dim, Graph, Masking, Node, Parameter, TensorType, Value
from graphs.json_fields import Field
from graphs.json_plain import plain_node, plain_weight
from graphs.masking import hidden, masking
from graphs.validation import NEWEST_OPSET, validate

#: Attributes of the standard and of com.microsoft that are floating point, so that 1 in JSON means 1.0.
FLOAT_ATTRIBUTES = frozenset({
    "activation_alpha", "activation_beta", "activation_params", "alpha", "beta", "bias", "clip", "cubic_coeff_a",
    "epsilon", "extrapolation_value", "gamma", "high", "lambd", "low", "mask_filter_value", "mean", "momentum", "ratio",
    "scale", "softcap", "spatial_scale", "value_float", "value_floats", "weights",
})  # fmt: skip


def read_json(data: Mapping[str, Any]) -> Graph:
    """Read the JSON form; raises InvalidGraph with the path of what is wrong, such as ``nodes[3].inputs[0]``."""
    graph = _read_graph(Field("", data))
    validate(graph)
    return graph


def write_json(graph: Graph) -> dict[str, Any]:
    """The JSON form of a graph; only its inputs' types are written, the others follow from them."""
    return {
        "name": graph.name,
        "opset": dict(graph.opset),
        "inputs": [{"name": n, **_type_to_json(graph.types[n])} for n in graph.inputs],
        "parameters": [_parameter_to_json(n, p) for n, p in graph.parameters.items()],
        "nodes": [_node_to_json(n) for n in graph.nodes],
        "outputs": list(graph.outputs),
    }


def _read_graph(root: Field, nested: bool = False) -> Graph:
    root.only("name", "opset", "inputs", "parameters", "nodes", "outputs")
    opset = {domain: version.integer() for domain, version in root.get("opset", {}).items()}
    if not nested:
        opset.setdefault("", NEWEST_OPSET)
    graph = Graph(root.get("name", "").text(), opset)
    for item in root.get("inputs", []).elements():
        item.only("name", "dtype", "shape")
        name = _new_name(item, graph)
        graph.inputs.append(name)
        graph.types[name] = TensorType(_dtype(item["dtype"]), tuple(_dim(d) for d in item["shape"].elements()))
    parameters, nodes = root.get("parameters", []), root["nodes"]
    for index, data in enumerate(parameters.values()):
        weight = plain_weight(data)
        if weight is not None and weight[0] not in graph.types and weight[0] not in graph.parameters:
            graph.parameters[weight[0]] = weight[1]
        else:
            item = parameters.element(index)
            graph.parameters[_new_name(item, graph)] = read_parameter(item)
    for index, data in enumerate(nodes.values()):
        graph.nodes.append(plain_node(data, index, FLOAT_ATTRIBUTES) or _node(nodes.element(index), index))
    graph.outputs = [o.text() for o in root["outputs"].elements()]
    return graph


def _new_name(item: Field, graph: Graph) -> str:
    name = item["name"].text()
    if not name or name in graph.types or name in graph.parameters:
        raise InvalidGraph(f"{item['name'].path}: {'empty' if not name else repr(name) + ' is defined twice'}")
    return name


def _dtype(item: Field) -> str:
    dtype = item.text()
    if dtype not in BITS:
        raise InvalidGraph(f"{item.path}: {dtype!r} is no element type; there are {', '.join(BITS)}")
    return dtype


def _dim(item: Field) -> Dim:
    if item.data is None:
        return None
    if isinstance(item.data, str):
        return item.data or None
    size = item.integer()
    if size < 1:
        raise InvalidGraph(f"{item.path}: a size must be at least 1, not {size} (null or a name means unknown)")
    return size


def read_parameter(item: Field) -> Parameter:
    """A weight or a small constant. Raises InvalidGraph."""
    item.only("name", "dtype", "shape", "value", "fill", "masking")
    shape = tuple(d.integer() for d in item["shape"].elements())
    if min(shape, default=0) < 0:
        raise InvalidGraph(f"{item['shape'].path}: negative size in {list(shape)}")
    type_ = TensorType(_dtype(item["dtype"]), shape)
    fill = item.optional("fill")
    number = None if fill is None else fill.number()
    value = item.optional("value")
    if value is not None:
        array = _array(value, type_)
        small = array.size <= MAX_VALUE_ELEMENTS
        return Parameter(type_, array if small else None, None, None if small else hidden(array))
    if number is not None and prod(shape) <= MAX_VALUE_ELEMENTS:
        return Parameter(type_, np.full(shape, number, _numpy_dtype(type_.dtype)), number)
    return Parameter(type_, None, number, _masking(item))


def _masking(item: Field) -> Masking | None:
    given = item.optional("masking")
    if given is None:
        return None
    given.only(*Masking._fields)
    shares = [given.get(name, 0.0).number() for name in Masking._fields]
    if not (min(shares) >= 0 and sum(shares) <= 1):  # not a number is neither
        raise InvalidGraph(f"{given.path}: shares are at least 0 and together at most 1, not {shares}")
    return masking(*shares)


def _array(item: Field, type_: TensorType) -> Value:
    """A value given flat or nested."""
    flat: list[Any] = []
    _flatten(item, flat)
    if len(flat) != prod(type_.dims):
        raise InvalidGraph(f"{item.path}: {len(flat)} values for the shape {list(type_.dims)}")
    if type_.dtype == "string":
        return np.array([f.text() for f in flat], np.object_).reshape(type_.dims)
    dtype = _numpy_dtype(type_.dtype)
    try:
        return np.array([f.number() for f in flat], dtype).reshape(type_.dims)
    except (OverflowError, ValueError) as error:
        raise InvalidGraph(f"{item.path}: values that {type_.dtype} cannot hold ({error})") from error


def _flatten(item: Field, flat: list[Any]) -> None:
    if isinstance(item.data, (list, tuple)):
        for element in item.elements():
            _flatten(element, flat)
    else:
        flat.append(item)


def _numpy_dtype(name: str) -> np.dtype[Any]:
    """numpy's type, or that of ml_dtypes for the types that numpy lacks."""
    try:
        return np.dtype(name)
    except TypeError:
        from graphs.onnx_protos import array_type

        return array_type(name)


def _node(item: Field, index: int) -> Node:
    item.only("op", "domain", "name", "inputs", "outputs", "attributes")
    op = item["op"].text()
    attributes = {name: _attribute(name, field) for name, field in item.get("attributes", {}).items()}
    return Node(
        op,
        [i.text() for i in item["inputs"].elements()],
        [o.text() for o in item["outputs"].elements()],
        attributes,
        item.get("domain", "").text(),
        item.get("name", "").text() or f"{op}_{index}",
    )


def _attribute(name: str, item: Field) -> Attribute:
    data = item.data
    if isinstance(data, str):
        return item.number() if name in FLOAT_ATTRIBUTES else data
    if isinstance(data, (bool, int, float)):
        return _scalar(name, item)
    if isinstance(data, Mapping):
        if "nodes" in data:
            return _read_graph(item, nested=True)
        item.only("dtype", "shape", "value")
        type_ = TensorType(_dtype(item["dtype"]), tuple(d.integer() for d in item["shape"].elements()))
        return _array(item["value"], type_)
    elements = item.elements()
    if elements and all(isinstance(e.data, str) for e in elements):
        return tuple(e.text() for e in elements)
    numbers = tuple(_scalar(name, e) for e in elements)
    if any(isinstance(n, float) for n in numbers):
        return tuple(float(n) for n in numbers)
    return numbers


def _scalar(name: str, item: Field) -> int | float:
    number = item.number()
    return float(number) if name in FLOAT_ATTRIBUTES else number


def _type_to_json(type_: TensorType) -> dict[str, Any]:
    return {"dtype": type_.dtype, "shape": list(type_.shape)}


def _parameter_to_json(name: str, parameter: Parameter) -> dict[str, Any]:
    result = {"name": name, **_type_to_json(parameter.type)}
    if parameter.fill is not None:
        result["fill"] = _number(parameter.fill)
    elif parameter.value is not None:
        result["value"] = _numbers(parameter.value)
    if parameter.masking:
        result["masking"] = {name: share for name, share in parameter.masking._asdict().items() if share}
    return result


def _node_to_json(node: Node) -> dict[str, Any]:
    attributes = {name: _attribute_to_json(value) for name, value in node.attributes.items()}
    return {
        "op": node.op, "domain": node.domain, "name": node.name,
        "inputs": list(node.inputs), "outputs": list(node.outputs), "attributes": attributes,
    }  # fmt: skip


def _attribute_to_json(value: Attribute) -> Any:
    if isinstance(value, Graph):
        return write_json(value)
    if isinstance(value, np.ndarray):
        return {"dtype": dtype_of(value), "shape": list(value.shape), "value": _numbers(value)}
    if isinstance(value, bytes):
        raise InvalidGraph("an attribute of bytes that are no text cannot be written as JSON")
    if isinstance(value, tuple):
        return [_number(v) for v in value]
    return _number(value)


def _numbers(value: Value) -> list[Any]:
    flat: Sequence[Any] = value.reshape(-1).tolist()
    return [_number(v) for v in flat]


def _number(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value
