"""The JSON form of search spaces: what it says, and what is wrong with it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from graphs import GraphError, InvalidChoices
from graphs.search_spaces import assemble, read_search_space

SPACE: dict[str, Any] = {
    "name": "example",
    "opset": {"": 17},
    "inputs": [{"name": "image", "shape": ["batch", 3, "resolution", "resolution"]}],
    "blocks": {
        "conv": {
            "inputs": [{"name": "x", "shape": ["n", "c", "h", "w"]}],
            "let": {"pad": "kernel // 2"},
            "parameters": [{"name": "weight", "dtype": "float32", "shape": ["out", "c", "kernel", "kernel"]}],
            "nodes": [
                {"op": "Conv", "inputs": ["x", "weight"], "outputs": ["y"],
                 "attributes": {"pads": ["=pad", "=pad", "=pad", "=pad"], "strides": ["=stride", "=stride"]}},
                {"op": "Relu", "inputs": ["y"], "outputs": ["z"]},
                {"op": "Add", "inputs": ["z", "x"], "outputs": ["sum"], "when": "stride == 1 and c == out"},
            ],
            "outputs": ["sum"],
        },
        "pool": {
            "inputs": [{"name": "x", "shape": ["n", "c", "h", "w"]}],
            "nodes": [{"op": "GlobalAveragePool", "inputs": ["x"], "outputs": ["y"]}],
            "outputs": ["y"],
        },
    },
    "layers": [
        {"name": "resolution", "values": {"resolution": [32, 64]}},
        {"name": "width", "values": {"width": [16, 24]}},
        {"name": "depth", "values": {"depth": [1, 2]}},
        {"name": "stem", "block": "conv", "with": {"out": "width", "stride": 2}, "grid": {"kernel": [3, 5]}},
        {"name": "first", "block": "conv", "with": {"out": "width", "stride": 1},
         "choices": [{"name": "k3", "with": {"kernel": 3}}, {"name": "k5", "with": {"kernel": 5}},
                     {"name": "skip", "skip": True}]},
        {"name": "second", "block": "conv", "when": "depth >= 2", "with": {"out": "2 * width", "stride": 1},
         "grid": {"kernel": [1, 3]}},
        {"name": "pool", "block": "pool"},
    ],
}  # fmt: skip


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SPACE), **changes}


def test_layers_and_choices_have_names() -> None:
    space = read_search_space(SPACE)
    assert [layer.name for layer in space.layers] == [
        "resolution", "width", "depth", "stem", "first", "second", "pool",
    ]  # fmt: skip
    assert [choice.name for choice in space.layers[3].choices] == ["kernel3", "kernel5"]
    assert space.choices == (2, 2, 2, 2, 3, 2, 1) and space.encodings == 96


def test_an_architecture_is_named_by_positions_or_by_names() -> None:
    space = read_search_space(SPACE)
    by_names = {"resolution": "64", "width": "24", "depth": "2", "first": "k5", "second": 1}
    assert space.row(by_names) == (1, 1, 1, 0, 1, 1, 0)
    one, other = assemble(space, by_names), assemble(space, [1, 1, 1, 0, 1, 1, 0])
    assert one == other
    assert one.types["image"].dims == (1, 3, 64, 64)
    assert [node.name for node in one.nodes] == [
        "stem/Conv_0", "stem/Relu_1", "first/Conv_0", "first/Relu_1", "first/Add_2", "second/Conv_0", "second/Relu_1",
        "pool/GlobalAveragePool_0",
    ]  # fmt: skip
    assert one.types[one.outputs[0]].dims == (1, 48, 1, 1)
    assert one.parameters["second/weight"].type.dims == (48, 24, 3, 3)


def test_what_is_skipped_or_not_active_is_not_there() -> None:
    space = read_search_space(SPACE)
    graph = assemble(space, {"depth": "1", "first": "skip", "second": "kernel3"}, batch_size=8)
    assert {node.name.partition("/")[0] for node in graph.nodes} == {"stem", "pool"}
    assert graph.types["image"].dims[0] == 8
    assert assemble(space, {"second": "kernel3"}) == assemble(space, {"second": "kernel1"})


def test_restricting_keeps_names_and_changes_the_id() -> None:
    space = read_search_space(SPACE)
    smaller = space.restricted({"first": ["skip", "k3"], "stem": ["kernel5"]})
    assert smaller.choices == (2, 2, 2, 1, 2, 2, 1) and smaller.id != space.id
    assert read_search_space(smaller.document).id == smaller.id
    names = {"first": "k3", "stem": "kernel5"}
    assert assemble(smaller, names) == assemble(space, names)


def test_the_id_is_over_the_content() -> None:
    assert read_search_space(SPACE).id == read_search_space(changed(description="other words")).id
    assert read_search_space(SPACE).id != read_search_space(changed(opset={"": 18})).id


@pytest.mark.parametrize(
    ("choices", "message"),
    [([0] * 6, "7 layers"), ([0, 0, 0, 0, 3, 0, 0], "choices 0 to 2"), ([0, 0, 0, 0, -1, 0, 0], "not -1"),
     ({"frist": "k3"}, "no layer 'frist'"), ({"first": "k7"}, "no choice 'k7'"), ({"first": 9}, "not 9")],
)  # fmt: skip
def test_choices_that_name_no_architecture(choices: Any, message: str) -> None:
    with pytest.raises(InvalidChoices, match=message):
        read_search_space(SPACE).row(choices)


def _with_layer(index: int, **changes: Any) -> dict[str, Any]:
    layers = copy.deepcopy(SPACE["layers"])
    layers[index] = {**layers[index], **changes}
    return changed(layers=layers)


def _with_block(**changes: Any) -> dict[str, Any]:
    blocks = copy.deepcopy(SPACE["blocks"])
    blocks["conv"] = {**blocks["conv"], **changes}
    return changed(blocks=blocks)


WRONG = {
    "no such field": changed(layer=[]),
    "layers: expected a list": changed(layers={}),
    "0 layers": changed(layers=[]),
    "is the name of two layers": changed(layers=[SPACE["layers"][0]] * 2),
    "no block 'deconv'": _with_layer(3, block="deconv"),
    "give one of choices, grid": _with_layer(3, choices=[]),
    "two choices have one name": _with_layer(4, choices=[{"name": "a"}, {"name": "a"}]),
    "more than 256": _with_layer(3, grid={"kernel": list(range(1, 20)), "stride": list(range(1, 20))}),
    "is no expression": _with_layer(5, when="depth >="),
    "'depht' is not known": _with_layer(5, when="depht >= 2"),
    "'width' is not known": changed(layers=[SPACE["layers"][0], *SPACE["layers"][2:]]),
    "nothing gives the tensor 'mask'": _with_layer(4, inputs=["mask"]),
    "2 inputs|reads x, image": _with_layer(4, inputs=["x", "image"]),
    "nothing gives the output 'logits'": changed(outputs=["logits"]),
    "no operator|not known: Convolve": _with_block(
        nodes=[{"op": "Convolve", "inputs": ["x", "weight"], "outputs": ["sum"]}]
    ),
    "cannot be used in expressions": _with_block(let={"a b": "1"}),
    "is a size that comes into": _with_layer(3, **{"with": {"out": 16, "stride": 1, "h": 3}}),
    "is no element type": changed(inputs=[{"name": "image", "dtype": "float33", "shape": [1]}]),
    r"takes float32 \['n', 'c'\]": _with_block(inputs=[{"name": "x", "shape": ["n", "c"]}]),
    "≠": _with_block(inputs=[{"name": "x", "shape": ["n", "c", "h", "c"]}]),
    "depends on no input": _with_block(
        parameters=[{"name": "weight", "dtype": "float32", "shape": [1]}],
        nodes=[{"op": "Relu", "inputs": ["weight"], "outputs": ["sum"]}],
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said(message: str) -> None:
    with pytest.raises(GraphError, match=message):
        assemble(read_search_space(WRONG[message]), {"depth": "2"} if "depth" in str(WRONG[message]["layers"]) else {})


@pytest.mark.parametrize(
    "part",
    [
        {"nodes": [{"op": "Relu", "outputs": ["sum"]}]}, {"nodes": [{"op": "Relu", "inputs": ["x"]}]},
        {"nodes": [{"op": "Relu", "inputs": "x", "outputs": ["sum"]}]},
        {"nodes": [{"op": "Relu", "inputs": [1], "outputs": ["sum"]}]},
        {"nodes": [{"op": "Relu", "inputs": [], "outputs": ["sum"], "when": "n > 1"}]},
        {"nodes": [{"op": "Relu", "inputs": ["x"], "outputs": [], "when": "n > 1"}]},
        {"nodes": [{"op": "Relu", "inputs": ["x"], "outputs": ["sum"], "when": 1}]},
        {"parameters": [{"dtype": "float32", "shape": [1]}]}, {"parameters": [{"name": "weight", "dtype": "float32"}]},
        {"nodes": ["Relu"]}, {"parameters": [7]},
    ],
)  # fmt: skip
def test_what_is_missing_in_a_block_is_said(part: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match=r"blocks\.conv\.(nodes|parameters)\[0\]"):
        read_search_space(_with_block(**part))


def test_sizes_that_nothing_binds_are_named() -> None:
    space = read_search_space(changed(inputs=[{"name": "image", "shape": ["batch", 3, "height", "resolution"]}]))
    with pytest.raises(GraphError, match="height"):
        assemble(space, {})
    assert assemble(space, {}, dims={"height": 48}).types["image"].dims == (1, 3, 48, 32)


def test_the_example_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs/search-spaces.md").read_text()
    example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert example
    space = read_search_space(json.loads(example[1]))
    graph = assemble(space, {"depth": "2", "body2": "5x5", "resolution": "160"})
    assert [node.name.partition("/")[0] for node in graph.nodes] == [
        *["stem"] * 2, *["body1"] * 2, *["body2"] * 3,
    ]  # fmt: skip
    assert graph.types[graph.outputs[0]].dims == (1, 32, 40, 40)
