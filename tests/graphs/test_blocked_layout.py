"""Types of onnxruntime's blocked layout, whose block depends on the processor that optimised the graph."""

import pytest

from graphs import Graph, InvalidGraph, Node, Parameter, TensorType, infer

N = "com.microsoft.nchwc"


def blocked(outputs: int, weight_inputs: int, *, channels: int = 20) -> Graph:
    """Plain data into blocks, convolved, back to plain data with the channels last."""
    graph = Graph("blocked", {"": 17, N: 1}, ["x"], ["y"], types={"x": TensorType("float32", (1, channels, 9, 9))})
    graph.parameters["w"] = Parameter(TensorType("float32", (outputs, weight_inputs, 3, 3)))
    graph.nodes = [
        Node("ReorderInput", ["x"], ["b"], domain=N),
        Node("Conv", ["b", "w"], ["c"], {"pads": (1, 1, 1, 1), "strides": (2, 2)}, domain=N),
        Node("ReorderOutput", ["c"], ["y"], {"channels": outputs - 3, "channels_last": 1}, domain=N),
    ]
    return graph


@pytest.mark.parametrize(("outputs", "weight_inputs", "padded"), [(48, 32, 32), (48, 24, 24), (24, 24, 24)])
def test_the_weights_say_how_large_a_block_is(outputs: int, weight_inputs: int, padded: int) -> None:
    types = infer(blocked(outputs, weight_inputs)).types
    assert types["b"].shape == (1, padded, 9, 9)
    assert types["c"].shape == (1, outputs, 5, 5)
    assert types["y"].shape == (1, 5, 5, outputs - 3)


def test_a_residual_must_have_the_shape_of_the_output() -> None:
    graph = blocked(48, 32)
    graph.nodes[1].inputs += ["", "b"]
    with pytest.raises(InvalidGraph, match="residual"):
        infer(graph)
