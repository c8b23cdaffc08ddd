"""Features: what they mean, and that they cannot change unnoticed."""

import hashlib
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import Kernel, LoweringProfile, Operand, lower
from graphs.spaces import FAMILIES, sample
from predictors.context import COLUMNS as CONTEXT_COLUMNS
from predictors.features import GROUPS, SCHEMA_VERSION, group_of
from predictors.features._columns import activation_cost, utilisation
from predictors.features.movement import merged_permutation, moves_one_axis
from predictors.features.pointwise import broadcast_run
from predictors.features.products import product_shape
from predictors.features.reductions import reduced_axes
from predictors.work import work_of


def tensor(*shape: int, constant: bool = False) -> Operand:
    return Operand("float32", shape, constant)


def test_changed_columns_need_a_new_schema_version() -> None:
    """When this fails: raise SCHEMA_VERSION, then write the new digest here. Old predictors are refused then."""
    text = json.dumps([{name: group.all_columns for name, group in GROUPS.items()}, CONTEXT_COLUMNS])
    assert (SCHEMA_VERSION, hashlib.sha256(text.encode()).hexdigest()[:12]) == (5, "8b88e0cd3e7b")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("com.microsoft.nchwc.Conv", "convolution"), ("QLinearConv", "convolution"), ("Gemm", "product"),
        ("com.microsoft.QuickGelu", "pointwise"), ("com.microsoft.nchwc.ReorderInput", "movement"),
        ("LayerNormalization", "reduction"), ("LSTM", "generic"), ("NoSuchThing", "generic"),
    ],
)  # fmt: skip
def test_groups(kind: str, name: str) -> None:
    assert group_of(kind).name == name


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_kernel_of_every_family_is_read(family: str) -> None:
    kernels = lower(sample(family, 5), LoweringProfile())
    work = work_of(kernels)
    for i, kernel in enumerate(kernels):
        group = group_of(kernel.kind)
        assert group.reads(kernel), kernel
        row = group.matrix([kernel], work[i : i + 1])
        assert row.shape == (1, len(group.all_columns)) and np.isfinite(row).all(), kernel


def test_rows_do_not_depend_on_their_neighbours() -> None:
    kernels = [k for k in lower(sample("resnet", 1), LoweringProfile()) if k.kind == "com.microsoft.nchwc.Conv"]
    group, work = group_of(kernels[0].kind), work_of(kernels)
    together = group.matrix(kernels, work)
    assert np.array_equal(together[3:4], group.matrix(kernels[3:4], work[3:4]))
    assert np.array_equal(together[::-1], group.matrix(kernels[::-1], work[::-1]))


def test_convolution_columns() -> None:
    kernel = Kernel(
        "com.microsoft.nchwc.Conv",
        (tensor(2, 24, 12, 14), tensor(40, 24, 3, 3, constant=True), tensor(40, constant=True), tensor(2, 40, 12, 14)),
        (tensor(2, 40, 12, 14),),
        (("activation", "Relu"), ("dilations", (1, 1)), ("group", 1), ("pads", (1,) * 4), ("strides", (1, 1))),
    )
    group = group_of(kernel.kind)
    row = dict(zip(group.all_columns, group.matrix([kernel], work_of([kernel]))[0].tolist(), strict=True))
    assert row["fill_in"] == pytest.approx(24 / 32) and row["fill_out"] == pytest.approx(40 / 48)
    assert row["fill_set"] == pytest.approx(3 / 4) and row["fill_row"] == pytest.approx(14 / 18)
    assert row["interior_h"] == pytest.approx(10 / 12) and row["interior_w"] == pytest.approx(12 / 14)
    assert row["residual"] == 1 and row["activation"] == activation_cost("Relu") and row["depthwise"] == 0
    assert row["log_k"] == pytest.approx(np.log2(24 * 9)) and row["log_batch"] == 1


@pytest.mark.parametrize(
    ("a", "b", "out", "attributes", "shape"),
    [
        ((4, 7, 8), (8, 9), (4, 7, 9), {}, (1, 28, 9, 8)),
        ((4, 7, 8), (4, 8, 9), (4, 7, 9), {}, (4, 7, 9, 8)),
        ((8, 7), (8, 9), (7, 9), {"transA": 1, "transB": 0}, (1, 7, 9, 8)),
        ((7, 8), (9, 8), (7, 9), {"transA": 0, "transB": 1}, (1, 7, 9, 8)),
        ((8,), (8, 9), (9,), {}, (1, 1, 9, 8)),
        ((3, 7, 8), (8,), (3, 7), {}, (1, 21, 1, 8)),
    ],
)
def test_product_shapes(
    a: tuple[int, ...], b: tuple[int, ...], out: tuple[int, ...], attributes: dict[str, int], shape: tuple[int, ...]
) -> None:
    kernel = Kernel("MatMul", (tensor(*a), tensor(*b)), (tensor(*out),), tuple(sorted(attributes.items())))
    assert product_shape(kernel) == shape


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=5).flatmap(
        lambda s: st.tuples(st.just(s), st.permutations(range(len(s))))
    )
)
def test_merged_permutations_move_the_same_data(case: tuple[list[int], list[int]]) -> None:
    shape, perm = tuple(case[0]), tuple(case[1])
    sizes, order = merged_permutation(shape, perm)
    data = np.arange(int(np.prod(shape)))
    assert np.array_equal(
        data.reshape(shape).transpose(perm).ravel(), data.reshape(sizes).transpose(order).ravel() if sizes else data
    )
    assert all(b != a + 1 for a, b in itertools.pairwise(order)), "neighbours were left apart"
    assert 1 not in sizes


def test_one_axis_moves() -> None:
    assert moves_one_axis((0, 2, 1)) and moves_one_axis((1, 2, 0)) and moves_one_axis((2, 0, 1, 3))
    assert not moves_one_axis((2, 1, 0)) and not moves_one_axis((0, 1)) and not moves_one_axis((1, 0, 3, 2))


@pytest.mark.parametrize(
    ("operand", "shape", "expected"),
    [
        ((2, 3, 4), (2, 3, 4), (24, 0)), ((), (2, 3, 4), (24, 1)), ((4,), (2, 3, 4), (4, 2)),
        ((3, 1), (2, 3, 4), (4, 3)), ((3, 1, 1), (2, 3, 4, 5), (20, 3)), ((2, 3, 1, 1), (2, 3, 4, 5), (20, 3)),
        ((1, 3, 4), (2, 3, 4), (12, 2)),
    ],
)  # fmt: skip
def test_broadcasting(operand: tuple[int, ...], shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    assert broadcast_run(tensor(*operand), shape) == expected


def test_reduced_axes() -> None:
    assert reduced_axes(Kernel("ReduceMean", (tensor(2, 3, 4),), (tensor(2, 1, 1),), (("axes", (1, 2)),))) == (1, 2)
    assert reduced_axes(Kernel("Softmax", (tensor(2, 3, 4),), (tensor(2, 3, 4),), (("axis", 1),))) == (1,)
    norm = Kernel("LayerNormalization", (tensor(2, 3, 4), tensor(3, 4)), (tensor(2, 3, 4),), (("axis", 1),))
    assert reduced_axes(norm) == (1, 2)
    assert reduced_axes(Kernel("GlobalAveragePool", (tensor(1, 8, 5, 5),), (tensor(1, 8, 1, 1),))) == (2, 3)


def test_utilisation() -> None:
    assert utilisation(np.array([16.0, 17.0, 1.0, 0.0]), 16).tolist() == [1.0, 17 / 32, 1 / 16, 1 / 16]


def test_kernels_that_lack_something_are_not_read() -> None:
    assert not group_of("Conv").reads(Kernel("Conv", (tensor(1, 3, 8, 8),), (tensor(1, 4, 8, 8),)))
    assert not group_of("Gemm").reads(Kernel("Gemm", (), (tensor(4, 4),)))
