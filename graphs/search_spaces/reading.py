"""The JSON form of a search space → `SearchSpace`. Everything wrong is an InvalidGraph or InvalidSearchSpace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from graphs.dtypes import BITS
from graphs.errors import InvalidSearchSpace
from graphs.json_fields import Field
from graphs.search_spaces.expressions import Expression, expression
from graphs.search_spaces.space import Block, Choice, Layer, Number, SearchSpace
from graphs.validation import NEWEST_OPSET

MAX_LAYERS = 512
MAX_CHOICES = 256

_NAME = re.compile(r"[A-Za-z0-9_.+×-]{1,80}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")

Shape = tuple[int | str | None, ...]


def read_search_space(data: Mapping[str, Any]) -> SearchSpace:
    """Read the JSON form; the message of an error begins with the path of what is wrong."""
    data = {**data, "layers": [_written_out(item) for item in Field("", data)["layers"].elements()]}
    root = Field("", data)
    root.only("name", "description", "source", "opset", "inputs", "blocks", "layers", "outputs")
    opset = {domain: version.integer() for domain, version in root.get("opset", {}).items()}
    opset.setdefault("", NEWEST_OPSET)
    inputs = tuple(_tensor(item) for item in root["inputs"].elements())
    blocks = {name: _block(name, item) for name, item in root.get("blocks", {}).items()}
    layers = _layers(root["layers"], blocks, tuple(name for name, _, _ in inputs))
    outputs = tuple(item.text() for item in root.get("outputs", layers[-1].outputs).elements())
    return SearchSpace(_name(root["name"]), opset, inputs, layers, outputs, root.get("description", "").text(), data)


def _written_out(layer: Field) -> dict[str, Any]:
    """A layer with ``choices`` in place of ``grid`` (all combinations) and ``values`` (one name set to each value)."""
    data = dict(_mapping(layer))
    short = [key for key in ("choices", "grid", "values") if key in data]
    if len(short) > 1:
        raise InvalidSearchSpace(f"{layer.path}: give one of {', '.join(short)}")
    if "grid" in data:
        axes = [(name, [v.integer() for v in values.elements()]) for name, values in layer["grid"].items()]
        if prod(len(values) for _, values in axes) > MAX_CHOICES:
            raise InvalidSearchSpace(f"{layer.path}.grid: more than {MAX_CHOICES} combinations")
        rows = product(*(values for _, values in axes))
        data["choices"] = [_combination([name for name, _ in axes], row) for row in rows]
    if "values" in data:
        named = [(name, v.integer()) for name, values in layer["values"].items() for v in values.elements()]
        if len({name for name, _ in named}) > 1:
            raise InvalidSearchSpace(f"{layer.path}.values: one layer can run through the values of one name")
        data["choices"] = [{"name": str(value), "set": {name: value}} for name, value in named]
    return {key: value for key, value in data.items() if key not in ("grid", "values")}


def _combination(names: Sequence[str], values: Sequence[int]) -> dict[str, Any]:
    """Called ``kernel3-expand6``."""
    text = "-".join(f"{name}{value}" for name, value in zip(names, values, strict=True))
    return {"name": text, "with": dict(zip(names, values, strict=True))}


def _name(item: Field) -> str:
    text = item.text()
    if not _NAME.fullmatch(text):
        raise InvalidSearchSpace(f"{item.path}: {text!r} is no name (letters, digits, _ . + × -, at most 80)")
    return text


def _variable(item: Field, name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise InvalidSearchSpace(f"{item.path}: {name!r} cannot be used in expressions; use letters, digits and _")
    return name


def _expression(item: Field) -> Expression:
    try:
        return expression(item.text().removeprefix("="))
    except InvalidSearchSpace as error:
        raise InvalidSearchSpace(f"{item.path}: {error}") from None


def _number(item: Field) -> Number:
    return _expression(item) if isinstance(item.data, str) else item.integer()


def _numbers(item: Field) -> tuple[tuple[str, Number], ...]:
    return tuple((_variable(value, name), _number(value)) for name, value in item.items())


def _tensor(item: Field) -> tuple[str, str, Shape]:
    """An input: name, element type, and a shape of sizes, names and nulls."""
    item.only("name", "dtype", "shape")
    dtype = item.get("dtype", "float32").text()
    if dtype not in BITS:
        raise InvalidSearchSpace(f"{item.path}.dtype: {dtype!r} is no element type")
    shape: list[int | str | None] = []
    for dim in item["shape"].elements():
        shape.append(
            None if dim.data is None else _variable(dim, dim.data) if isinstance(dim.data, str) else dim.integer()
        )
    return _name(item["name"]), dtype, tuple(shape)


def _block(name: str, item: Field) -> Block:
    item.only("inputs", "let", "parameters", "nodes", "outputs")
    inputs = tuple(_tensor(i) for i in item["inputs"].elements())
    bound = {dim for _, _, shape in inputs for dim in shape if isinstance(dim, str)}
    free: set[str] = set()
    definitions = []
    for variable, value in item.get("let", {}).items():
        parsed = _expression(value)
        free |= parsed.names - bound
        bound.add(_variable(value, variable))
        definitions.append((variable, parsed))
    body: dict[str, Any] = {
        "parameters": [_parameter(p) for p in item.get("parameters", []).elements()],
        "nodes": [_node(n) for n in item["nodes"].elements()],
        "outputs": [o.text() for o in item["outputs"].elements()],
    }
    for parsed in _expressions_in(item):
        free |= parsed.names - bound
    if not inputs or not body["outputs"]:
        raise InvalidSearchSpace(f"{item.path}: a block needs inputs and outputs")
    return Block(name, inputs, tuple(definitions), body, frozenset(free))


def _parameter(item: Field) -> dict[str, Any]:
    """As it is; what is needed to put it in place is there."""
    item["name"].text()
    item["shape"].elements()
    return dict(_mapping(item))


def _node(item: Field) -> dict[str, Any]:
    """As it is; what is needed to put it in place, or to leave it out, is there."""
    ends = [[name.text() for name in item[key].elements()] for key in ("inputs", "outputs")]
    if "when" in _mapping(item):
        item["when"].text()
        if not all(ends):
            raise InvalidSearchSpace(f"{item.path}: a node that may be left out needs an input and an output")
    return dict(_mapping(item))


def _mapping(item: Field) -> Mapping[str, Any]:
    if not isinstance(item.data, Mapping):
        raise InvalidSearchSpace(f"{item.path}: expected an object")
    return item.data


def _expressions_in(block: Field) -> Iterator[Expression]:
    """Those in shapes, values, attributes and conditions."""
    for parameter in block.get("parameters", []).elements():
        for dim in parameter["shape"].elements():
            if isinstance(dim.data, str):
                yield _expression(dim)
        if "value" in parameter.data:
            yield from _marked(parameter["value"])
    for node in block["nodes"].elements():
        if "when" in node.data:
            yield _expression(node["when"])
        for _, attribute in node.get("attributes", {}).items():
            yield from _marked(attribute)


def _marked(item: Field) -> Iterator[Expression]:
    """Strings that begin with ``=``, in a value or a list."""
    if isinstance(item.data, str) and item.data.startswith("="):
        yield _expression(item)
    elif isinstance(item.data, list | tuple):
        for element in item.elements():
            yield from _marked(element)


def _layers(item: Field, blocks: Mapping[str, Block], inputs: tuple[str, ...]) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    before = inputs
    for element in item.elements():
        layer = _layer(element, blocks, before)
        if any(layer.name == other.name for other in layers):
            raise InvalidSearchSpace(f"{element.path}.name: {layer.name!r} is the name of two layers")
        layers.append(layer)
        before = layer.outputs if layer.has_blocks else before
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise InvalidSearchSpace(f"{item.path}: {len(layers)} layers; 1 to {MAX_LAYERS} are possible")
    return tuple(layers)


def _layer(item: Field, blocks: Mapping[str, Block], before: tuple[str, ...]) -> Layer:
    item.only("name", "when", "inputs", "outputs", "block", "with", "set", "choices")
    name = _name(item["name"])
    shared = dict(_numbers(item.get("with", {})))
    usual = item.optional("block")
    elements = item.get("choices", [{"name": name}]).elements()
    choices = tuple(_choice(element, blocks, usual, shared, item) for element in elements)
    if not 1 <= len(choices) <= MAX_CHOICES:
        raise InvalidSearchSpace(f"{item.path}.choices: {len(choices)} choices; 1 to {MAX_CHOICES} are possible")
    if len({choice.name for choice in choices}) < len(choices):
        raise InvalidSearchSpace(f"{item.path}.choices: two choices have one name")
    has_blocks = any(choice.block is not None for choice in choices)
    reads = tuple(i.text() for i in item.get("inputs", before if has_blocks else ()).elements())
    gives = tuple(o.text() for o in item.get("outputs", ("x",) if has_blocks else ()).elements())
    for choice in choices:
        _check_ends(item, choice, reads, gives)
    when = item.optional("when")
    return Layer(name, choices, reads, gives, None if when is None else _expression(when))


def _choice(
    item: Field, blocks: Mapping[str, Block], usual: Field | None, shared: Mapping[str, Number], layer: Field
) -> Choice:
    item.only("name", "block", "with", "set", "skip")
    named = item.optional("block") or usual
    skipped = bool(item.get("skip", False).data)
    block = None
    if named is not None and not skipped:
        if named.text() not in blocks:
            raise InvalidSearchSpace(f"{named.path}: there is no block {named.text()!r}; there are {', '.join(blocks)}")
        block = blocks[named.text()]
    given = {**shared, **dict(_numbers(item.get("with", {})))}
    if block is not None and (taken := block.sizes.intersection(given)):
        raise InvalidSearchSpace(
            f"{item.path}: {min(taken)!r} is a size that comes into the block {block.name!r}; it cannot be given"
        )
    sets = (*_numbers(layer.get("set", {})), *_numbers(item.get("set", {})))
    return Choice(_name(item["name"]), block, tuple(given.items()) if block is not None else (), sets)


def _check_ends(item: Field, choice: Choice, reads: Sequence[str], gives: Sequence[str]) -> None:
    block = choice.block
    if block is not None and (len(block.inputs) != len(reads) or block.outputs != len(gives)):
        raise InvalidSearchSpace(
            f"{item.path}: choice {choice.name!r} has a block of {len(block.inputs)} inputs and {block.outputs} "
            f"outputs, the layer reads {', '.join(reads) or 'nothing'} and gives {', '.join(gives) or 'nothing'}"
        )
