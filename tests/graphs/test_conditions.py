"""Control flow: constant conditions are decided, the rest keeps its bodies and gets their types."""

import numpy as np
import pytest

from graphs import Graph, GraphError, Node, Parameter, TensorType, infer

IMAGE = TensorType("float32", (2, 3))


def conditional(condition: bool | None, wide: bool = False) -> Graph:
    """If c: relu(x)·w else: x or, with ``wide``, x beside itself. Both branches call their result ``t``."""
    then = Graph("", {}, outputs=["t"], parameters={"w": Parameter(TensorType("float32", (3,)))})
    then.nodes = [Node("Relu", ["x"], ["r"]), Node("Mul", ["r", "w"], ["t"])]
    otherwise = Graph("", {}, outputs=["t"])
    otherwise.nodes = [Node("Concat", ["x", "x"], ["t"], {"axis": 0})] if wide else [Node("Identity", ["x"], ["t"])]
    branches = {"then_branch": then, "else_branch": otherwise}
    graph = Graph(inputs=["x"], outputs=["y"], types={"x": IMAGE})
    graph.nodes = [Node("If", ["c"], ["t1"], dict(branches), name="if"), Node("Exp", ["t1"], ["y"])]
    if condition is None:
        graph.inputs.append("c")
        graph.types["c"] = TensorType("bool", ())
    else:
        graph.parameters["c"] = Parameter(TensorType("bool", ()), np.array(condition))
    return graph


def test_the_branch_taken_is_inlined() -> None:
    taken = infer(conditional(True))
    assert [n.op for n in taken.nodes] == ["Relu", "Mul", "Exp"]
    assert "w" in taken.parameters and "c" not in taken.parameters
    other = infer(conditional(False, wide=True))
    assert [n.op for n in other.nodes] == ["Concat", "Exp"]
    assert other.types["y"].shape == (4, 3)


def test_names_that_clash_are_told_apart() -> None:
    graph = conditional(True)
    graph.nodes.insert(0, Node("Neg", ["x"], ["r"]))
    graph.nodes[-1].inputs = ["t1"]
    graph.nodes.append(Node("Add", ["y", "r"], ["z"]))
    graph.outputs = ["z"]
    inlined = infer(graph)
    assert [n.op for n in inlined.nodes] == ["Neg", "Relu", "Mul", "Exp", "Add"]
    outputs = [name for n in inlined.nodes for name in n.outputs]
    assert len(set(outputs)) == len(outputs)
    assert inlined.nodes[2].inputs[0] == inlined.nodes[1].outputs[0]


def test_an_unknown_condition_stays_if_both_branches_agree() -> None:
    graph = infer(conditional(None))
    assert [n.op for n in graph.nodes] == ["If", "Exp"]
    assert graph.types["y"].shape == (2, 3)


def test_an_unknown_condition_with_different_shapes_is_refused() -> None:
    with pytest.raises(GraphError, match=r"If 'if'.*depends on the data"):
        infer(conditional(None, wide=True))


def loop(trips: int | None, body: Graph, **states: TensorType) -> Graph:
    graph = Graph(inputs=list(states), outputs=["y", "all"], types=dict(states))
    graph.nodes = [Node("Loop", ["n", "", *states], ["y", "all"], {"body": body}, name="loop")]
    graph.parameters["n"] = Parameter(TensorType("int64", ()), None if trips is None else np.array(trips))
    return graph


def growing(op: str, *extra: str, **attributes: tuple[int, ...] | int) -> Graph:
    """One iteration: the state through an operator, and collected."""
    body = Graph("", {}, ["i", "go", "s"], ["go", "t", "t2"])
    body.nodes = [Node(op, ["s", *extra], ["t"], dict(attributes)), Node("Identity", ["t"], ["t2"])]
    return body


def test_loops_of_a_known_length_stack_what_they_make() -> None:
    graph = infer(loop(5, growing("Relu"), x=IMAGE))
    assert graph.types["y"].shape == (2, 3)
    assert graph.types["all"].shape == (5, 2, 3)


@pytest.mark.parametrize(
    ("trips", "body", "message"),
    [
        (None, growing("Relu"), "iterations is not constant"),
        (3, growing("Concat", "s", axis=0), r"\[2, 3\] before an iteration, \[4, 3\] after"),
    ],
)
def test_loops_whose_shapes_depend_on_the_data(trips: int | None, body: Graph, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        infer(loop(trips, body, x=IMAGE))


def test_scans_run_along_an_axis() -> None:
    body = Graph("", {}, ["s", "e"], ["t", "out"])
    body.nodes = [Node("Add", ["s", "e"], ["t"]), Node("Mul", ["t", "w"], ["out"])]
    graph = Graph(inputs=["s0", "x"], outputs=["s1", "y"])
    graph.types = {"s0": TensorType("float32", (4,)), "x": TensorType("float32", (4, 7))}
    graph.parameters["v"] = Parameter(TensorType("float32", (4,)))
    attributes = {"body": body, "num_scan_inputs": 1, "scan_input_axes": (1,), "scan_output_axes": (-1,)}
    graph.nodes = [Node("Identity", ["v"], ["w"]), Node("Scan", ["s0", "x"], ["s1", "y"], dict(attributes))]
    inferred = infer(graph)
    assert inferred.types["y"].shape == (4, 7)
    assert "w" in inferred.parameters, "what a body reads keeps its name"
