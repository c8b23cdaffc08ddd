"""Networks that are quantised while they run, and networks whose weights alone are: what is in them."""

from collections import Counter

import pytest

from graphs import LoweringProfile, flops, lower
from graphs.spaces import FAMILIES, sample
from predictors.features import group_of

DYNAMIC = sorted(n for n, f in FAMILIES.items() if f.quantised == "dynamic" and not f.whole)
WEIGHTS = sorted(n for n, f in FAMILIES.items() if f.quantised == "weights" and not f.whole)


@pytest.mark.parametrize("family", DYNAMIC)
def test_no_weight_of_a_product_stays_float(family: str) -> None:
    graph = sample(family, 2)
    made = Counter(node.op for node in graph.nodes)
    assert made["DynamicQuantizeLinear"] or made["DynamicQuantizeLSTM"]
    for node in graph.nodes:
        if node.op in ("MatMul", "Gemm", "Conv"):
            weight = graph.parameters.get(node.inputs[1])
            assert weight is None or len(weight.type.shape) not in (2, 4)


@pytest.mark.parametrize("family", WEIGHTS)
def test_every_product_with_a_matrix_reads_blocks(family: str) -> None:
    graph = sample(family, 2)
    blocks = [node for node in graph.nodes if node.op == "MatMulNBits"]
    assert blocks
    assert {node.attributes["bits"] for node in blocks} <= {4, 8}
    assert all(node.inputs[1] not in graph.parameters for node in graph.nodes if node.op == "MatMul")


def test_data_that_several_layers_read_is_quantised_once() -> None:
    shared = 0
    for seed in range(4):
        graph = sample("t5-dynamic-int8", seed)
        quantised = [node.inputs[0] for node in graph.nodes if node.op == "DynamicQuantizeLinear"]
        assert len(quantised) == len(set(quantised))
        shared = max(shared, *Counter(n.inputs[0] for n in graph.nodes if n.op == "MatMulInteger").values())
    assert shared >= 3


def test_the_kernels_that_users_meet_are_made() -> None:
    kinds = {k.kind for name in (*DYNAMIC, *WEIGHTS) for k in lower(sample(name, 1), LoweringProfile())}
    assert kinds >= {
        "com.microsoft.DynamicQuantizeMatMul", "com.microsoft.MatMulIntegerToFloat", "com.microsoft.MatMulNBits",
        "com.microsoft.DynamicQuantizeLSTM", "ConvInteger", "DynamicQuantizeLinear",
    }  # fmt: skip


def test_blocks_cost_the_arithmetic_of_the_matrix_that_they_stand_for() -> None:
    for kernel in lower(sample("llama-weights-int8", 2), LoweringProfile()):
        if kernel.kind == "com.microsoft.MatMulNBits":
            rows = kernel.outputs[0].elements // kernel.attribute("N")
            assert flops(kernel) == 2 * rows * kernel.attribute("N") * kernel.attribute("K")
            raw = group_of(kernel.kind).raw(kernel)
            assert tuple(raw[:4]) == (1, rows, kernel.attribute("N"), kernel.attribute("K"))
