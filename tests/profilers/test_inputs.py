import numpy as np

from graphs import Graph, Node, Parameter, TensorType
from profilers.inputs import random_inputs


def language_model() -> Graph:
    return Graph(
        "language",
        inputs=["ids", "mask", "picture", "gate", "x"],
        outputs=["y", "m", "p", "g", "z"],
        parameters={"table": Parameter(TensorType("float32", (50, 8))), "axes": Parameter(TensorType("int64", (1,)))},
        nodes=[
            Node("Cast", ["ids"], ["i"], {"to": 7}),
            Node("Gather", ["table", "i"], ["y"]),
            Node("Unsqueeze", ["mask", "axes"], ["m"]),
        ],
        types={
            "ids": TensorType("int32", (1, 64)),
            "mask": TensorType("int64", (1, 64)),
            "picture": TensorType("uint8", (1, 3, 4, 4)),
            "gate": TensorType("bool", (2,)),
            "x": TensorType("float16", (3, 3)),
        },
    )


def test_inputs_have_their_types_and_shapes() -> None:
    graph = language_model()
    for name, value in random_inputs(graph).items():
        assert (value.dtype, value.shape) == (np.dtype(graph.types[name].dtype), graph.types[name].shape)


def test_indices_are_inside_their_table_and_masks_are_ones() -> None:
    feeds = random_inputs(language_model())
    assert feeds["ids"].min() >= 0
    assert 10 < feeds["ids"].max() < 50
    assert feeds["mask"].tolist() == np.ones((1, 64)).tolist()
    assert feeds["gate"].all()


def test_floats_are_never_denormal_in_bulk() -> None:
    x = random_inputs(language_model())["x"]
    assert np.isfinite(x).all()
    assert 0 <= x.min() < x.max() <= 1


def test_the_same_seed_gives_the_same_inputs() -> None:
    graph = language_model()
    one, two, other = (random_inputs(graph, seed)["ids"] for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()
