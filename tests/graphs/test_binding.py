"""Binding: batch size, named dimensions, whole shapes, and everything that contradicts."""

import pytest

from graphs import Graph, InvalidGraph, Node, TensorType, UnboundDimension, bind
from graphs.ir import Dim


def model(**shapes: tuple[Dim, ...]) -> Graph:
    first = next(iter(shapes))
    return Graph(
        inputs=list(shapes), outputs=["y"], nodes=[Node("Relu", [first], ["y"])],
        types={name: TensorType("float32", shape) for name, shape in shapes.items()},
    )  # fmt: skip


@pytest.mark.parametrize("dim", ["batch", "batch_size", "N", None])
def test_the_batch_is_one_unless_given(dim: Dim) -> None:
    graph = model(x=(dim, 3, 8, 8))
    assert bind(graph).types["x"].shape == (1, 3, 8, 8)
    assert bind(graph, batch_size=4).types["x"].shape == (4, 3, 8, 8)
    assert graph.types["x"].shape == (dim, 3, 8, 8), "the argument stays as it is"


def test_other_dimensions_must_be_given() -> None:
    graph = model(ids=("batch", "sequence"), mask=("batch", "sequence"))
    with pytest.raises(UnboundDimension, match=r"dims sequence=") as caught:
        bind(graph)
    assert caught.value.dimension == "sequence"
    bound = bind(graph, batch_size=2, dims={"sequence": 16})
    assert bound.types["ids"].shape == bound.types["mask"].shape == (2, 16)


def test_an_unnamed_dimension_is_named_by_its_place() -> None:
    with pytest.raises(UnboundDimension, match="input_shapes") as caught:
        bind(model(x=(1, 3, None)))
    assert caught.value.dimension == "x[2]"
    assert bind(model(x=(1, 3, None)), input_shapes={"x": (1, 3, 7)}).types["x"].shape == (1, 3, 7)


def test_a_shape_binds_its_names_elsewhere() -> None:
    graph = model(a=("batch", "length"), b=("length", "batch"))
    bound = bind(graph, input_shapes={"a": (3, 5)})
    assert bound.types["b"].shape == (5, 3)


def test_the_batch_need_not_be_the_first_dimension_of_every_input() -> None:
    """The states of an LSTM have the batch second, position ids may have none."""
    graph = model(x=("batch", 10), state=(2, "batch", 8), positions=(1, 10))
    bound = bind(graph, batch_size=4)
    assert bound.types["state"].shape == (2, 4, 8)
    assert bound.types["positions"].shape == (1, 10)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((1, 3), {"batch_size": 4}, "fixed"),
        (("batch", 3), {"batch_size": 4, "dims": {"batch": 2}}, "batch"),
        (("batch", 3), {"batch_size": 0}, "at least 1"),
        (("batch", "width"), {"dims": {"width": -1}}, "at least 1"),
        (("batch", 3), {"dims": {"height": 1}}, "height"),
        (("batch", 3), {"input_shapes": {"z": (1, 3)}}, "no input 'z'"),
        (("batch", 3), {"input_shapes": {"x": (1, 4)}}, "contradicts"),
        (("batch", 3), {"input_shapes": {"x": (1,)}}, "2 dimensions"),
        (("n", "n"), {"input_shapes": {"x": (1, 2)}}, "bound to 1 and to 2"),
        (("batch", 1 << 50), {}, "absurdly large"),
    ],
)
def test_contradictions(shape: tuple[Dim, ...], arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        bind(model(x=shape), **arguments)  # type: ignore[arg-type]


def test_a_fixed_batch_that_is_the_one_asked_for_is_fine() -> None:
    assert bind(model(x=(4, 3)), batch_size=4).types["x"].shape == (4, 3)
