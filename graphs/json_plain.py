"""The JSON form where it is written as programs write it, read in one go.

Most of a graph is nodes and weights without anything unusual. What these functions do not recognise they leave to
`graphs.json_form`, which looks at every field and says what is wrong with it.
"""

from __future__ import annotations

from typing import Any

from graphs.dtypes import BITS
from graphs.ir import Attribute, Node, Parameter, TensorType

_NODE = frozenset({"op", "domain", "name", "inputs", "outputs", "attributes"})
_WEIGHT = {"name", "dtype", "shape"}
_TEXT, _NUMBER = {str}, {int}


def plain_node(data: Any, index: int, float_attributes: frozenset[str]) -> Node | None:
    """A node whose attributes are numbers, texts and lists of integers; None for any other, and for wrong ones."""
    if type(data) is not dict or not _NODE.issuperset(data):
        return None
    op, inputs, outputs, given = data.get("op"), data.get("inputs"), data.get("outputs"), data.get("attributes", {})
    domain, name = data.get("domain", ""), data.get("name", "")
    if not (type(op) is type(domain) is type(name) is str and type(inputs) is type(outputs) is list):
        return None
    if type(given) is not dict or not _TEXT.issuperset(map(type, inputs)) or not _TEXT.issuperset(map(type, outputs)):
        return None
    attributes: dict[str, Attribute] = {}
    for key, value in given.items():
        kind = type(value)
        if kind is list:
            if not _NUMBER.issuperset(map(type, value)) or key in float_attributes:
                return None
            value = tuple(value)
        elif key in float_attributes:
            if kind is not int and kind is not float:
                return None
            value = float(value)
        elif kind is not int and kind is not float and kind is not str:
            return None
        attributes[key] = value
    return Node(op, inputs.copy(), outputs.copy(), attributes, domain, name or f"{op}_{index}")


def plain_weight(data: Any) -> tuple[str, Parameter] | None:
    """The name and type of a parameter of which nothing else is said; None for any other, and for wrong ones."""
    if type(data) is not dict or data.keys() != _WEIGHT:
        return None
    name, dtype, shape = data["name"], data["dtype"], data["shape"]
    if type(name) is not str or not name or type(dtype) is not str or dtype not in BITS or type(shape) is not list:
        return None
    if not _NUMBER.issuperset(map(type, shape)) or min(shape, default=0) < 0:
        return None
    return name, Parameter(TensorType(dtype, tuple(shape)))
