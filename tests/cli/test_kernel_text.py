"""Two lists of kernels, compared and told apart in words."""

from dataclasses import replace

from archgauge.kernel_text import compare, describe
from graphs import Kernel, Operand

CONV = Kernel(
    "Conv", (Operand("float32", (1, 3, 8, 8)), Operand("float32", (4, 3, 3, 3), constant=True), None),
    (Operand("float32", (1, 4, 8, 8)),), (("group", 1), ("pads", (1, 1, 1, 1))),
)  # fmt: skip


def test_equal_lists_in_any_order() -> None:
    other = replace(CONV, kind="Relu")
    difference = compare([CONV, other, CONV], [other, CONV, CONV])
    assert difference.equal
    assert (difference.ours, difference.theirs) == (3, 3)


def test_names_of_nodes_make_no_difference() -> None:
    assert compare([CONV], [replace(CONV, nodes=("a", "b"))]).equal


def test_multiplicity_counts() -> None:
    difference = compare([CONV, CONV, CONV], [CONV])
    assert difference.only_ours == ((CONV, 2),)
    assert difference.only_theirs == ()


def test_an_attribute_makes_a_difference_that_can_be_read() -> None:
    grouped = replace(CONV, attributes=(("group", 2), ("pads", (1, 1, 1, 1))))
    difference = compare([CONV], [grouped])
    assert not difference.equal
    assert describe(difference.only_ours[0][0]) == (
        "Conv float32 1×3×8×8, const 4×3×3×3, – → 1×4×8×8 group=1 pads=1,1,1,1"
    )
    assert "group=2" in describe(difference.only_theirs[0][0])


def test_values_and_scalars() -> None:
    kernel = Kernel("Gather", (Operand("int64", (), True, (3,)),), (Operand("int64", ()),))
    assert describe(kernel) == "Gather int64 const scalar=3 → scalar"
