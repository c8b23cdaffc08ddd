"""Masks: what they hide, how that is known without their numbers, and which kernels it slows down."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archgauge_client import strip_weights
from graphs import Kernel, LoweringProfile, lower, prepare, read, write_json, write_onnx
from graphs.ir import Masking
from graphs.masking import hidden, pattern

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


def causal(dtype: type[np.generic], low: float = -1e9) -> np.ndarray:
    seen = np.tril(np.ones((1, 1, LENGTH, LENGTH), dtype=bool))
    return seen if dtype is np.bool_ else np.where(seen, 0.0, low).astype(dtype)


def slowness(kernels: list[Kernel]) -> dict[str, dict[str, object]]:
    """By node, what of its data slows its kernel down."""
    return {
        kernel.nodes[-1]: {name: share for name, share in kernel.attributes if name in ("subnormal", "vanishing")}
        for kernel in kernels
    }


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_a_deep_mask_slows_the_softmax_alone(dtype: type[np.generic]) -> None:
    data = attention(causal(dtype), choose=dtype is np.bool_)
    found = slowness(lower(prepare(data), LoweringProfile()))
    assert (found["softmax"], found["mix"], found["scores"]) == ({"vanishing": 0.5}, {}, {})


@pytest.mark.parametrize("low", [-88.0, -100.0])
def test_a_faint_mask_slows_the_product_as_well(low: float) -> None:
    found = slowness(lower(prepare(attention(causal(np.float32, low))), LoweringProfile()))
    assert (found["softmax"], found["mix"], found["scores"]) == ({"subnormal": 0.5}, {"subnormal": 0.5}, {})


@pytest.mark.parametrize("low", [-100.0, -1e4, -np.inf])
def test_what_hides_makes_what_it_is_said_to_make(low: float) -> None:
    """The thresholds are those of onnxruntime's exponential function."""
    onnxruntime = pytest.importorskip("onnxruntime")
    data = onnx.load_from_string(attention(causal(np.float32, low)))
    data.graph.output.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(data.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    feeds = {i.name: random.uniform(-0.5, 0.5, i.shape).astype(np.float32) for i in session.get_inputs()}
    weights = session.run(["weights"], feeds)[0]
    subnormal = np.count_nonzero((weights > 0) & (weights < np.finfo(np.float32).tiny)) / weights.size
    hides = hidden(causal(np.float32, low))
    assert hides is not None
    assert (subnormal > 0.3) == (hides.subnormal > 0) and (np.count_nonzero(weights == 0) > 0) == (hides.vanishing > 0)


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
    assert graph.parameters["mask"].masking is None
    assert not any(slowness(lower(graph, LoweringProfile())).values())


def test_shares_are_eighths() -> None:
    assert hidden(np.array([0.0] * 99 + [-1e4])) == (0.125, 0.0)
    assert hidden(np.array([0.0] * 49 + [-100.0])) == (0.0, 0.125)
    assert hidden(np.array([0.0] * 999 + [-1e4])) is None
    assert hidden(np.array([True, False])) == (0.5, 0.0)
    assert hidden(np.array([-1000, 5])) is None  # whole numbers mask nothing


@pytest.mark.parametrize("dtype", ["float32", "float16", "bool"])
@pytest.mark.parametrize("share", [0.125, 0.5, 0.875])
def test_stand_ins_hide_as_much_and_never_a_whole_row(dtype: str, share: float) -> None:
    mask = pattern((2, 1, 16, 16), dtype, Masking(share))
    assert hidden(mask) == (share, 0.0)
    visible = mask if dtype == "bool" else mask == 0.0
    assert visible.any(axis=-1).all()


def test_stand_ins_hide_in_both_ways() -> None:
    assert hidden(pattern((8, 16), "float32", Masking(0.25, 0.5))) == (0.25, 0.5)


def test_a_share_out_of_range_is_refused() -> None:
    graph = write_json(prepare(attention(causal(np.float32))))
    next(p for p in graph["parameters"] if p["name"] == "mask")["masking"] = {"vanishing": 1.5}
    with pytest.raises(Exception, match="together at most 1"):
        read(graph)
