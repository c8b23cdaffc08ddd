"""Random small architectures: hashes ignore names and order, both file forms keep everything."""

import json
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import Graph, Node, Parameter, TensorType, graph_hash, infer, prepare, read_json, write_json, write_onnx

UNARY = ["Relu", "Sigmoid", "Tanh", "Neg", "Softmax", "LeakyRelu"]


@st.composite
def architectures(draw: st.DrawFn) -> Graph:
    """A few layers over one image, joined at random; weights without values, some settings with."""
    channels = draw(st.sampled_from([4, 6, 8]))
    graph = Graph("drawn", {"": draw(st.sampled_from([13, 17, 21]))}, inputs=["x"])
    graph.types["x"] = TensorType("float32", (draw(st.integers(1, 3)), channels, 9, 9))
    made = ["x"]
    for index in range(draw(st.integers(1, 8))):
        source, name = draw(st.sampled_from(made)), f"t{index}"
        kind = draw(st.sampled_from(["conv", "unary", "add", "scale", "clip"]))
        if kind == "conv":
            kernel = draw(st.sampled_from([1, 3]))
            graph.parameters[f"w{index}"] = Parameter(TensorType("float32", (channels, channels, kernel, kernel)))
            pads = {"pads": (kernel // 2,) * 4}
            graph.nodes.append(Node("Conv", [source, f"w{index}"], [name], dict(pads), name=f"n{index}"))
        elif kind == "unary":
            graph.nodes.append(Node(draw(st.sampled_from(UNARY)), [source], [name], name=f"n{index}"))
        elif kind == "add":
            graph.nodes.append(Node("Add", [source, draw(st.sampled_from(made))], [name], name=f"n{index}"))
        else:
            number = np.array(draw(st.floats(0.25, 4, width=32)), np.float32)
            graph.parameters[f"c{index}"] = Parameter(TensorType("float32", ()), number)
            inputs = [source, f"c{index}"] if kind == "scale" else [source, "", f"c{index}"]
            graph.nodes.append(Node("Mul" if kind == "scale" else "Clip", inputs, [name], name=f"n{index}"))
        made.append(name)
    graph.outputs = [made[-1]]
    return infer(graph)


def renamed(graph: Graph, seed: int) -> Graph:
    """The same architecture with other names, its nodes and parameters in another order."""
    rng = random.Random(seed)
    names = sorted({*graph.parameters, *graph.types})
    numbers = rng.sample(range(len(names)), len(names))
    new = {name: f"r{number}" for name, number in zip(names, numbers, strict=True)}
    nodes = [
        Node(n.op, [new.get(i, i) for i in n.inputs], [new[o] for o in n.outputs], dict(reversed(n.attributes.items())))
        for n in graph.nodes
    ]
    rng.shuffle(nodes)
    parameters = [(new[n], p) for n, p in graph.parameters.items()]
    rng.shuffle(parameters)
    return Graph(
        "other", dict(graph.opset), [new[n] for n in graph.inputs], [new[n] for n in graph.outputs],
        dict(parameters), nodes, {new[n]: t for n, t in graph.types.items()},
    )  # fmt: skip


@given(architectures(), st.integers(0, 1 << 30))
@settings(max_examples=60, deadline=None)
def test_names_and_order_do_not_change_the_hash(graph: Graph, seed: int) -> None:
    other = renamed(graph, seed)
    assert graph_hash(other) == graph_hash(graph)
    assert graph_hash(infer(prepare(write_json(other)))) == graph_hash(graph)


@given(architectures(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_change_of_the_architecture_changes_the_hash(graph: Graph, rng: random.Random) -> None:
    before = graph_hash(graph)
    changed = graph.copy()
    node = rng.choice(changed.nodes)
    node.attributes["another"] = 1
    assert graph_hash(changed) != before
    wider = graph.copy()
    batch, *rest = wider.types["x"].dims
    wider.types["x"] = TensorType("float32", (batch + 1, *rest))
    assert graph_hash(wider) != before
    for name, parameter in graph.parameters.items():
        if parameter.value is not None:
            other = graph.copy()
            other.parameters[name] = Parameter(parameter.type, parameter.value + np.float32(1))
            assert graph_hash(other) != before


@given(architectures())
@settings(max_examples=60, deadline=None)
def test_json_keeps_everything(graph: Graph) -> None:
    again = infer(read_json(json.loads(json.dumps(write_json(graph)))))
    assert again.nodes == graph.nodes
    assert again.types == graph.types
    assert {n: p.type for n, p in again.parameters.items()} == {n: p.type for n, p in graph.parameters.items()}


@given(architectures())
@settings(max_examples=60, deadline=None)
def test_onnx_keeps_the_architecture(graph: Graph) -> None:
    again = prepare(write_onnx(graph))
    assert again.types == graph.types
    assert [(n.op, n.inputs, n.outputs, n.attributes) for n in again.nodes] == [
        (n.op, n.inputs, n.outputs, n.attributes) for n in graph.nodes
    ]
    assert graph_hash(again, weights=False) == graph_hash(graph, weights=False)


@given(architectures())
@settings(max_examples=30, deadline=None)
def test_inferring_twice_changes_nothing(graph: Graph) -> None:
    again = infer(graph)
    assert again.nodes == graph.nodes
    assert again.types == graph.types
