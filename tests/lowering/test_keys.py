"""Kernel keys: what must not change them, and what must."""

import random
from collections import Counter
from dataclasses import replace
from functools import cache

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import Graph, Kernel, LoweringProfile, infer, kernel_graph, kernels_of, lower, prepare
from graphs.kernels import from_json, to_json
from graphs.spaces import sample

FAMILIES = ("resnet", "mbconv", "vit", "bert", "shufflenet-v2", "elementwise")
DTYPES = {
    "float32": "float64",
    "int64": "int32",
    "bool": "uint8",
    "float64": "float32",
    "int32": "int64",
    "uint8": "int8",
}


@cache
def network(family: str) -> Graph:
    return sample(family, 3)


@cache
def kernels(family: str) -> list[Kernel]:
    return lower(network(family), LoweringProfile())


def renamed_and_reordered(graph: Graph, seed: int) -> Graph:
    """The same architecture: other names of nodes and tensors, nodes in another topological order."""
    draw = random.Random(seed)
    name = {t: f"t{i}" for i, t in enumerate(draw.sample(sorted(graph.types), len(graph.types)))}
    copy = graph.copy()
    ready, made, order = list(copy.nodes), set(copy.inputs) | set(copy.parameters) | {""}, []
    while ready:
        possible = [n for n in ready if made.issuperset(n.inputs)]
        node = draw.choice(possible)
        ready.remove(node)
        order.append(node)
        made.update(node.outputs)
    for i, node in enumerate(order):
        node.name = f"n{draw.random()}{i}"
        node.inputs = [name.get(t, t) for t in node.inputs]
        node.outputs = [name.get(t, t) for t in node.outputs]
    copy.nodes = order
    copy.inputs = [name[t] for t in copy.inputs]
    copy.outputs = [name[t] for t in copy.outputs]
    copy.parameters = {name[t]: p for t, p in graph.parameters.items()}
    copy.types = {name[t]: k for t, k in graph.types.items()}
    return copy


@settings(deadline=None, max_examples=12)
@given(family=st.sampled_from(FAMILIES), seed=st.integers(0, 2**16))
def test_names_and_node_order_do_not_matter(family: str, seed: int) -> None:
    other = lower(infer(renamed_and_reordered(network(family), seed)), LoweringProfile())
    assert Counter(k.key for k in other) == Counter(k.key for k in kernels(family))


def changes(kernel: Kernel) -> list[Kernel]:
    """The kernel with one cost-relevant field changed, every way."""
    found = [replace(kernel, kind=kernel.kind + "X")]
    for side in ("inputs", "outputs"):
        operands = getattr(kernel, side)
        for i, o in enumerate(operands):
            if o is None:
                continue
            others = [
                o._replace(dtype=DTYPES[o.dtype]),
                o._replace(constant=not o.constant),
                o._replace(shape=(*o.shape, 2)),
            ]
            others += [o._replace(shape=(*o.shape[:d], o.shape[d] + 1, *o.shape[d + 1 :])) for d in range(len(o.shape))]
            found += [replace(kernel, **{side: (*operands[:i], x, *operands[i + 1 :])}) for x in others]
    for i, (name, value) in enumerate(kernel.attributes):
        changed = value + "x" if isinstance(value, str) else (*value, 1) if isinstance(value, tuple) else value + 1
        found.append(replace(kernel, attributes=(*kernel.attributes[:i], (name, changed), *kernel.attributes[i + 1 :])))
    return found


@settings(deadline=None, max_examples=60)
@given(family=st.sampled_from(FAMILIES), place=st.integers(0, 10_000))
def test_any_change_of_a_cost_relevant_field_gives_another_key(family: str, place: int) -> None:
    kernel = kernels(family)[place % len(kernels(family))]
    others = changes(kernel)
    assert len({kernel.key, *(k.key for k in others)}) == 1 + len(others)


@settings(deadline=None, max_examples=60)
@given(family=st.sampled_from(FAMILIES), place=st.integers(0, 10_000))
def test_keys_survive_json(family: str, place: int) -> None:
    kernel = kernels(family)[place % len(kernels(family))]
    again = from_json(to_json(kernel))
    assert again == kernel
    assert again.key == kernel.key


SPELLINGS = {
    "Conv": ("Conv(x, w)", "Conv<strides=[1,1], pads=[0,0,0,0], dilations=[1,1], group=1, kernel_shape=[3,3]>(x, w)"),
    "auto_pad": ('Conv<auto_pad="SAME_UPPER">(x, w)', "Conv<pads=[1,1,1,1]>(x, w)"),
    "Softmax": ("Softmax(x)", "Softmax<axis=3>(x)"),
    "Concat": ("Concat<axis=-3>(x, x)", "Concat<axis=1>(x, x)"),
    "ReduceMean": ("ReduceMean(x)", "ReduceMean<axes=[0,1,-2,3], keepdims=1>(x)"),
    "LeakyRelu": ("LeakyRelu(x)", "LeakyRelu<alpha=0.2>(x)"),
    "ArgMax": ("ArgMax(x)", "ArgMax<axis=0, keepdims=1, select_last_index=0>(x)"),
    "Transpose": ("Transpose(x)", "Transpose<perm=[3,2,1,0]>(x)"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spelling_out_a_default_changes_nothing(spelling: str) -> None:
    keys = []
    for text in SPELLINGS[spelling]:
        model = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> g (float[2,3,8,8] x) => (float[a,b,c,d] y) ' + f"{{ y = {text} }}"
        )
        model.graph.initializer.append(onnx.helper.make_tensor("w", 1, [3, 3, 3, 3], [0.5] * 81))
        keys.append([k.key for k in kernels_of(prepare(model.SerializeToString()))])
    assert keys[0] == keys[1]


@pytest.mark.parametrize("opset", [18, 19])
def test_average_pools_of_different_implementations_differ(opset: int) -> None:
    """From opset 19 on the runtime runs other, slower code for them."""
    data = {
        "opset": {"": opset}, "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 5, 8, 8]}],
        "nodes": [{"op": "AveragePool", "name": "p", "inputs": ["x"], "outputs": ["y"],
                   "attributes": {"kernel_shape": [2, 2], "strides": [2, 2]}}],
        "outputs": ["y"],
    }  # fmt: skip
    (kernel,) = kernels_of(prepare(data))
    assert kernel.attribute("since_version") == (19 if opset >= 19 else None)
    alone = infer(kernel_graph(kernel))
    assert (alone.opset[""] >= 19) == (opset >= 19)
    assert kernels_of(alone)[0].key == kernel.key
