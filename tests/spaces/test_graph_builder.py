"""The builder's operators say the same in every opset."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphs.inference import infer
from graphs.spaces.activations import ACTIVATIONS, activate
from graphs.spaces.builder import GraphBuilder, TooLarge
from graphs.spaces.draw import Draw
from graphs.spaces.operators import conv, pool, reduce
from graphs.spaces.style import ExportStyle, draw_style

STYLE = ExportStyle("torchscript", 17, "folded", "Add", "matmul", "Flatten", "ReduceMean", "op", "erf", "op")
OPSETS = (9, 10, 11, 13, 17, 18, 20)


def builder(opset: int = 17, **changes: object) -> GraphBuilder:
    return GraphBuilder("test", replace(STYLE, opset=opset, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("opset", OPSETS)
def test_operators_whose_axes_became_inputs(opset: int) -> None:
    b = builder(opset)
    x = b.input((2, 6, 10, 10))
    parts = b.split(b.clip(x, 0.0, 6.0), [2, 4])
    joined = b.concat([b.slice(parts[1], 1, 3, 1), parts[0]])
    y = b.pad(joined, (0, 0, 1, 1), (0, 0, 0, 2))
    y = b.upsample(b.squeeze(b.unsqueeze(y, 0), 0), 2)
    y = reduce(b, "ReduceSum", reduce(b, "ReduceMean", y, (2,)), (3,), keep=False)
    graph = infer(b.finish(y))
    assert graph.types[y].dims == b.shape(y) == (2, 4, 1)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", sorted(ACTIVATIONS))
def test_activations(kind: str, opset: int) -> None:
    form = "op" if opset >= 14 else "clip"
    b = builder(opset, hard_swish=form, gelu="op" if opset >= 20 else "erf")
    y = activate(b, b.input((1, 8, 4, 4)), kind)
    assert infer(b.finish(y)).types[y].dims == (1, 8, 4, 4)


@pytest.mark.parametrize("opset", (9, 13))
@pytest.mark.parametrize(("side", "kernel", "pad"), [(13, 3, 0), (12, 3, 0), (55, 3, 1), (7, 2, 0)])
def test_pools_that_round_up_have_one_size_in_all_opsets(opset: int, side: int, kernel: int, pad: int) -> None:
    stride = 2
    b = builder(opset)
    y = pool(b, b.input((1, 4, side, side)), "Max", kernel, stride, pad=pad, round_up=True)
    expected = -(-(side + 2 * pad - kernel) // stride) + 1
    if (expected - 1) * stride >= side + pad:
        expected -= 1
    assert infer(b.finish(y)).types[y].dims == b.shape(y) == (1, 4, expected, expected)


def test_asymmetric_padding_is_left_to_the_operator() -> None:
    b = builder(same_upper=True)
    y = conv(b, b.input((1, 3, 15, 16)), 8, 3, 2)
    assert b.shape(y) == (1, 8, 8, 8)
    assert b.graph.nodes[0].attributes["auto_pad"] == "SAME_UPPER"
    assert infer(b.finish(y)).types[y].dims == (1, 8, 8, 8)


def test_growth_is_stopped() -> None:
    b = GraphBuilder("test", STYLE, max_work=1e6)
    with pytest.raises(TooLarge, match="costs too much"):
        conv(b, b.input((1, 64, 56, 56)), 64, 3)


def test_fills_are_values_where_values_are_kept() -> None:
    b = builder()
    small, large = b.weight(4, fill=2.0), b.weight(1000, fill=2.0)
    assert b.graph.parameters[small].value is not None
    assert b.graph.parameters[large].value is None
    assert b.graph.parameters[large].fill == 2.0


def test_draws_are_reproducible_and_in_range() -> None:
    first, second = Draw("a"), Draw("a")
    for _ in range(500):
        width = first.width(8, 64)
        assert width == second.width(8, 64)
        assert 4 <= width <= 96
        low = first.size(3, 9)
        assert low == second.size(3, 9)
        assert 3 <= low <= 9
        side = first.resolution(64, 128)
        assert side == second.resolution(64, 128)
        assert 64 <= side <= 128


def test_styles_are_coherent() -> None:
    for seed in range(200):
        style = draw_style(Draw(str(seed)), ("torchscript", "dynamo", "keras", "caffe2"))
        assert style.layer_norm == "decomposed" or style.opset >= 17
        assert style.hard_swish != "op" or style.opset >= 14
        assert style.gelu != "op" or style.opset >= 20
        assert style.batch_norm != "scale" or style.opset < 13
