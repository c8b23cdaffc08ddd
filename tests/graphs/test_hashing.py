"""What the hash of an architecture tells apart."""

import numpy as np

from graphs import Graph, Node, Parameter, TensorType, graph_hash, infer, prepare

IMAGE = TensorType("float32", (1, 8, 6, 6))
WEIGHT = TensorType("float32", (8, 8, 1, 1))


def two_layers(*weights: str, value: float | None = None) -> Graph:
    """Two convolutions of the same input, added."""
    nodes = [Node("Conv", ["x", w], [f"y{i}"]) for i, w in enumerate(weights)]
    graph = Graph(inputs=["x"], outputs=["z"], nodes=[*nodes, Node("Add", ["y0", "y1"], ["z"])], types={"x": IMAGE})
    number = None if value is None else np.full(WEIGHT.dims, value, np.float32)
    graph.parameters = {w: Parameter(WEIGHT, number) for w in weights}
    return infer(graph)


def test_sharing_a_weight_shows() -> None:
    assert graph_hash(two_layers("a", "b")) != graph_hash(two_layers("a", "a"))


def test_who_shares_with_whom_shows() -> None:
    def chain(first: str, second: str, third: str, fourth: str) -> Graph:
        graph = Graph(inputs=["x"], outputs=["t3"], types={"x": IMAGE})
        graph.parameters = {"a": Parameter(WEIGHT), "b": Parameter(WEIGHT)}
        source = "x"
        for index, weight in enumerate((first, second, third, fourth)):
            graph.nodes.append(Node("Conv", [source, weight], [f"t{index}"]))
            source = f"t{index}"
        return infer(graph)

    hashes = {graph_hash(chain(*weights)) for weights in ("aabb", "abab", "abba", "aaab")}
    assert len(hashes) == 4
    assert graph_hash(chain(*"aabb")) == graph_hash(chain(*"bbaa"))


def test_trained_numbers_may_be_left_out() -> None:
    known, unknown = two_layers("a", "b", value=0.5), two_layers("a", "b")
    assert graph_hash(known) != graph_hash(unknown)
    assert graph_hash(known, weights=False) == graph_hash(unknown, weights=False)


def test_short_settings_always_count() -> None:
    def scaled(by: float) -> Graph:
        graph = Graph(inputs=["x"], outputs=["y"], nodes=[Node("Div", ["x", "c"], ["y"])], types={"x": IMAGE})
        graph.parameters["c"] = Parameter(TensorType("float32", ()), np.array(by, np.float32))
        return infer(graph)

    assert graph_hash(scaled(1.4142), weights=False) != graph_hash(scaled(1.5), weights=False)


def test_the_order_of_inputs_and_outputs_counts() -> None:
    def subtract(*inputs: str) -> Graph:
        types = dict.fromkeys(inputs, IMAGE)
        return infer(Graph(inputs=list(inputs), outputs=["y"], nodes=[Node("Sub", ["a", "b"], ["y"])], types=types))

    assert graph_hash(subtract("a", "b")) != graph_hash(subtract("b", "a"))


def test_subgraphs_count() -> None:
    def conditional(op: str) -> Graph:
        branches = {
            f"{which}_branch": Graph("", {}, outputs=["t"], nodes=[Node(kind, ["x"], ["t"])])
            for which, kind in (("then", op), ("else", "Exp"))
        }
        return Graph(
            inputs=["x", "c"], outputs=["y"], nodes=[Node("If", ["c"], ["y"], dict(branches))],
            types={"x": IMAGE, "c": TensorType("bool", ())},
        )  # fmt: skip

    assert graph_hash(conditional("Relu")) != graph_hash(conditional("Tanh"))


def test_real_networks_differ(light_models: dict[str, bytes]) -> None:
    hashes = {graph_hash(prepare(data), weights=False) for data in light_models.values()}
    assert len(hashes) == len(light_models)
