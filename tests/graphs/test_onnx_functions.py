"""Functions that models bring along: written out, unless that never ends or becomes far too large."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from onnx import FunctionProto, NodeProto, TensorProto, helper

from graphs import InvalidGraph, read

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]


def function(name: str, callees: Sequence[tuple[str, str]]) -> FunctionProto:
    """One that passes its input through operators, given as (name, domain)."""
    tensors = ["x", *(f"t{i}" for i in range(len(callees) - 1)), "y"]
    nodes = [
        helper.make_node(op, [tensors[i]], [tensors[i + 1]], domain=domain) for i, (op, domain) in enumerate(callees)
    ]
    return helper.make_function("mine", name, ["x"], ["y"], nodes, OPSETS)


def model(*functions: FunctionProto, inside: NodeProto | None = None) -> bytes:
    node = inside or helper.make_node("f0", ["a"], ["b"], domain="mine")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "ab"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    return bytes(helper.make_model(graph, functions=functions, opset_imports=OPSETS).SerializeToString())


def tower(levels: int) -> list[FunctionProto]:
    """Each calls the next one twice."""
    lower = [function(f"f{i}", [(f"f{i + 1}", "mine")] * 2) for i in range(levels - 1)]
    return [*lower, function(f"f{levels - 1}", [("Relu", "")] * 2)]


def test_functions_within_functions_are_written_out() -> None:
    assert [node.op for node in read(model(*tower(3))).nodes] == ["Relu"] * 8


def test_a_few_bytes_that_become_too_many_nodes() -> None:
    data = model(*tower(40))
    assert len(data) < 6000
    with pytest.raises(InvalidGraph, match="has 1,099,511,627,776 nodes"):
        read(data)


def test_functions_that_call_themselves() -> None:
    for functions in ([function("f0", [("f0", "mine")])], [*tower(2)[:1], function("f1", [("f0", "mine")] * 2)]):
        with pytest.raises(InvalidGraph, match="in a circle"):
            read(model(*functions))


def test_calls_within_control_operators_count() -> None:
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])]
    branch = helper.make_graph([helper.make_node("f0", ["a"], ["y"], domain="mine")], "branch", [], ends)
    node = helper.make_node("If", ["a"], ["b"], then_branch=branch, else_branch=branch)
    with pytest.raises(InvalidGraph, match="nodes"):
        read(model(*tower(30), inside=node))


def test_what_the_library_refuses_is_refused() -> None:
    broken = function("f0", [("Relu", "")])
    broken.opset_import[0].version = 99
    with pytest.raises(InvalidGraph):
        read(model(broken, function("f0", [("Relu", "")])))
