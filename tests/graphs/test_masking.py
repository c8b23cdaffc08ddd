"""Masks: what they hide, how that is known without their numbers, and which kernels it slows down."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archgauge_client import strip_weights
from graphs import Kernel, LoweringProfile, lower, prepare, read, write_json, write_onnx
from graphs.masking import hidden_share, pattern

LENGTH = 24


def attention(mask: np.ndarray, *, choose: bool = False) -> bytes:
    """``softmax(mask(q kᵀ)) v`` as a model of opset 17; ``choose`` masks by Where instead of a sum."""
    scores = "masked" if choose or mask.dtype != np.bool_ else "scores"
    masking = (
        helper.make_node("Where", ["mask", "scores", "low"], ["masked"])
        if choose
        else helper.make_node("Add", ["scores", "mask"], ["masked"])
    )
    nodes = [
        helper.make_node("MatMul", ["q", "k"], ["scores"], name="scores"),
        masking,
        helper.make_node("Softmax", [scores], ["weights"], axis=-1, name="softmax"),
        helper.make_node("MatMul", ["weights", "v"], ["y"], name="mix"),
    ]
    shapes = {"q": (1, 4, LENGTH, 16), "k": (1, 4, 16, LENGTH), "v": (1, 4, LENGTH, 16)}
    graph = helper.make_graph(
        nodes, "attention",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, LENGTH, 16))],
        [numpy_helper.from_array(mask, "mask"), numpy_helper.from_array(np.float32(-3.4e38), "low")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def causal(dtype: type[np.generic]) -> np.ndarray:
    seen = np.tril(np.ones((1, 1, LENGTH, LENGTH), dtype=bool))
    return seen if dtype is np.bool_ else np.where(seen, 0.0, -1e9).astype(dtype)


def shares(kernels: list[Kernel]) -> dict[str, float | None]:
    return {kernel.nodes[-1]: kernel.attribute("subnormal") for kernel in kernels}


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_a_mask_slows_the_softmax_and_the_product_after_it(dtype: type[np.generic]) -> None:
    data = attention(causal(dtype), choose=dtype is np.bool_)
    found = shares(lower(prepare(data), LoweringProfile()))
    assert (found["softmax"], found["mix"], found["scores"]) == (0.5, 0.5, None)


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_the_share_outlives_stripping_writing_and_json(dtype: type[np.generic]) -> None:
    data = attention(causal(dtype), choose=dtype is np.bool_)
    stripped = strip_weights(data)
    assert len(stripped) < len(data)
    graph = prepare(data)
    keys = [kernel.key for kernel in lower(graph, LoweringProfile())]
    for other in (stripped, write_onnx(graph)):
        assert [kernel.key for kernel in lower(prepare(other), LoweringProfile())] == keys
    assert [kernel.key for kernel in lower(prepare(write_json(graph)), LoweringProfile())] == keys


def test_what_hides_nothing_is_no_mask() -> None:
    bias = np.linspace(-10.0, 10.0, LENGTH * LENGTH, dtype=np.float32).reshape(1, 1, LENGTH, LENGTH)
    graph = prepare(attention(bias))
    assert graph.parameters["mask"].masking == 0.0
    assert shares(lower(graph, LoweringProfile()))["mix"] is None


def test_shares_are_eighths() -> None:
    assert hidden_share(np.array([0.0] * 99 + [-1e4])) == 0.125
    assert hidden_share(np.array([0.0] * 999 + [-1e4])) == 0.0
    assert hidden_share(np.array([True, False])) == 0.5
    assert hidden_share(np.array([-1000, 5])) == 0.0  # whole numbers mask nothing


@pytest.mark.parametrize("dtype", ["float32", "bool"])
@pytest.mark.parametrize("share", [0.125, 0.5, 0.875])
def test_stand_ins_hide_as_much_and_never_a_whole_row(dtype: str, share: float) -> None:
    mask = pattern((2, 1, 16, 16), dtype, share)
    assert hidden_share(mask) == share
    visible = mask if dtype == "bool" else mask == 0.0
    assert visible.any(axis=-1).all()


def test_a_share_out_of_range_is_refused() -> None:
    graph = write_json(prepare(attention(causal(np.float32))))
    next(p for p in graph["parameters"] if p["name"] == "mask")["masking"] = 1.5
    with pytest.raises(Exception, match="between 0 and 1"):
        read(graph)
