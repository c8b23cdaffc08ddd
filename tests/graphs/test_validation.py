"""Graphs that contradict themselves are refused, each with a message that says where."""

import numpy as np
import pytest

from graphs import Graph, InvalidGraph, MissingValue, Node, Parameter, TensorType, infer, prepare, read, validate
from graphs.ir import Attribute


def graph(*nodes: Node, parameters: dict[str, Parameter] | None = None, shape: tuple[int, ...] = (2, 3)) -> Graph:
    last = nodes[-1].outputs[0] if nodes else "x"
    return Graph(
        inputs=["x"], outputs=[last], nodes=list(nodes), parameters=parameters or {},
        types={"x": TensorType("float32", shape)},
    )  # fmt: skip


def test_nodes_are_sorted() -> None:
    made = graph(Node("Add", ["a", "b"], ["y"]), Node("Exp", ["a"], ["b"]), Node("Relu", ["x"], ["a"]))
    made.outputs = ["y"]
    validate(made)
    assert [n.op for n in made.nodes] == ["Relu", "Exp", "Add"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (graph(Node("Add", ["x", "b"], ["a"], name="one"), Node("Relu", ["a"], ["b"], name="two")), "cycle.*one.*two"),
        (graph(Node("Add", ["x", "nowhere"], ["y"])), "nothing defines.*nowhere"),
        (graph(Node("Relu", ["x"], ["y"]), Node("Exp", ["x"], ["y"])), "'y' is defined twice"),
        (graph(Node("Relu", ["x"], ["x"])), "'x' is defined twice"),
        (graph(Node("Relu", ["x"], ["y"]), parameters={"x": Parameter(TensorType("float32", ()))}), "twice.*x"),
        (graph(Node("Relu", ["x"], ["y"]), parameters={"w": Parameter(TensorType("float32", (-1,)))}), "negative"),
        (graph(Node("Relu", ["x"], ["y"]), parameters={"w": Parameter(TensorType("float33", (1,)))}), "float33"),
        (graph(Node("Relu", ["x"], ["y"]), shape=(1 << 30, 1 << 30)), "absurdly large"),
    ],
)
def test_contradictions(made: Graph, message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        validate(made)


def test_outputs_must_exist() -> None:
    made = graph(Node("Relu", ["x"], ["y"]))
    made.outputs = ["z"]
    with pytest.raises(InvalidGraph, match="outputs that nothing makes: 'z'"):
        validate(made)
    made.outputs = []
    with pytest.raises(InvalidGraph, match="no outputs"):
        validate(made)


WEIGHT = Parameter(TensorType("float32", (8, 4, 3, 3)))


@pytest.mark.parametrize(
    ("op", "others", "attributes", "message"),
    [
        ("Conv", {"w": WEIGHT}, {}, "data of 3 channels does not fit weights"),
        ("Conv", {"w": WEIGHT}, {"group": 3}, "channels"),
        ("MaxPool", {}, {"kernel_shape": (20, 20)}, "window of 20 does not fit 8"),
        ("MatMul", {"w": Parameter(TensorType("float32", (9, 2)))}, {}, "do not fit a matrix product"),
        ("Add", {"w": Parameter(TensorType("float32", (7,)))}, {}, "broadcast"),
        ("Add", {"w": Parameter(TensorType("float64", (8,)))}, {}, "element types differ: float32, float64"),
        ("Concat", {"w": Parameter(TensorType("float32", (1, 3, 7, 8)))}, {"axis": 1}, "cannot be joined"),
        ("Transpose", {}, {"perm": (0, 1)}, "perm"),
        ("Softmax", {"w": WEIGHT}, {}, None),
        ("Squeeze", {"w": Parameter(TensorType("int64", (1,)), np.array([1]))}, {}, "dimension 1"),
        ("Reshape", {"w": Parameter(TensorType("int64", (2,)), np.array([5, -1]))}, {}, "cannot be reshaped"),
        ("Flatten", {}, {"axis": 7}, "axis 7"),
        ("Conv", {"w": WEIGHT}, {"strides": "wide"}, "malformed|channels"),
    ],
)
def test_shapes_that_do_not_fit(
    op: str, others: dict[str, Parameter], attributes: dict[str, Attribute], message: str | None
) -> None:
    node = Node(op, ["x", *others], ["y"], attributes, name="here")
    made = graph(node, parameters=others, shape=(1, 3, 8, 8))
    if message is None:
        infer(made)
        return
    with pytest.raises(InvalidGraph, match=message) as caught:
        infer(made)
    assert f"{op} 'here'" in str(caught.value)


def test_a_value_that_decides_a_shape_is_asked_for_by_name() -> None:
    made = graph(Node("Reshape", ["x", "target"], ["y"]), parameters={"target": Parameter(TensorType("int64", (2,)))})
    with pytest.raises(MissingValue, match="'target' decides a shape") as caught:
        infer(made)
    assert caught.value.tensor == "target"


def test_a_shape_that_is_computed_at_run_time_is_refused() -> None:
    made = Graph(
        inputs=["x", "s"], outputs=["y"], nodes=[Node("Reshape", ["x", "s"], ["y"])],
        types={"x": TensorType("float32", (4,)), "s": TensorType("int64", (2,))},
    )  # fmt: skip
    with pytest.raises(InvalidGraph, match="computed at run time"):
        infer(made)


@pytest.mark.parametrize("data", [b"", b"\x00\x01", b"hello", b"{", b"[]", b'{"nodes": 1}', b"\x08\x07"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidGraph):
        read(data)


def test_broken_bytes_never_raise_anything_else(light_models: dict[str, bytes]) -> None:
    """Flipped bytes of a real model: a graph or one of our errors."""
    from graphs import GraphError

    data = light_models["squeezenet"]
    random = np.random.default_rng(7)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        broken = bytearray(data)
        for position in random.integers(0, len(data), 3):
            broken[position] = random.integers(0, 256)
        try:
            prepare(bytes(broken))
            outcomes["read"] += 1
        except GraphError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0
