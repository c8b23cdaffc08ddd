"""Half precision on a processor: what has no kernel for float16 runs in float32, between casts.

After onnxruntime's InsertCastTransformer, which runs between the optimisations of levels 1 and 2, with what follows it:
RemoveDuplicateCastTransformer, and FuseInitializersTransformer, which converts a constant ahead of time if only one
node reads it (core/optimizer, 1.31).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.ir import Node, TensorType
from graphs.lowering.kernel_types import KernelTypes
from graphs.lowering.rewriter import Rewriter

_HALF, _SINGLE = "float16", "float32"


def uses_half(r: Rewriter) -> bool:
    """Whether any tensor is of float16."""
    return any(t.dtype == _HALF for t in r.types.values())


#: Domain of nodes that no kernel takes as they are.
_NOBODY = "nobody."


def hide(r: Rewriter, nodes: Sequence[Node]) -> None:
    """Keep all rules away from nodes that belong to no provider; transposes pass them all the same."""
    for node in nodes:
        node.domain = _NOBODY + node.domain
    r.hidden = [*r.hidden, *nodes]


def reveal(r: Rewriter) -> list[Node]:
    """Undo `hide`, and tell which nodes those were."""
    nodes, r.hidden = [node for node in r.hidden if r.alive(node)], []
    for node in nodes:
        node.domain = node.domain.removeprefix(_NOBODY)
    return nodes


def insert_casts(r: Rewriter, table: KernelTypes) -> bool:
    """Cast around nodes without a float16 kernel, then drop the casts that meet; without float16 that waits.

    Returns whether constants were converted, which is when the runtime goes through its late levels once more.

    The casts of constants stay to the end, even if a fusion takes away all that reads them.
    """
    inserted: set[int] = set()
    if uses_half(r):
        _share_constants(r)
        lacking = {id(n) for n in r.nodes if not table.covers(r.graph, n) and _HALF in _dtypes(r, n.inputs)}
        _give_up_isolated(r, table, lacking)
        singles: dict[str, str] = {}
        for node in r.nodes:
            if id(node) in lacking and not _has_body(node):
                _run_in_single(r, node, singles, inserted)
        r.sort()
        _drop_duplicates(r, inserted)
    converted = convert_constants(r)
    r.lasting.update({id(n): n for n in r.nodes if id(n) in inserted and r.is_constant(n.inputs[0])})
    return converted


#: Constants of up to this many elements are one constant if they are equal.
_MAX_SHARED = 8


def _share_constants(r: Rewriter) -> None:
    """onnxruntime's ConstantSharing, which shows in how many casts there are."""
    seen: dict[tuple[tuple[int, ...], bytes], str] = {}
    for name, parameter in list(r.parameters.items()):
        value = parameter.value
        if value is None or value.size > _MAX_SHARED or parameter.type.dtype != _HALF:
            continue
        first = seen.setdefault((value.shape, value.tobytes()), name)
        if first != name and not r.is_output(name):
            for user in list(r.users(name)):
                for index, tensor in enumerate(user.inputs):
                    if tensor == name:
                        r.set_input(user, index, first)


def _has_body(node: Node) -> bool:
    return node.op in ("If", "Loop", "Scan")


def _dtypes(r: Rewriter, tensors: list[str]) -> list[str]:
    return [r.dtype(t) for t in tensors if t]


#: Operators of any number of inputs, of which the runtime looks at the first alone.
_VARIADIC = frozenset({"Concat", "Max", "Min", "Sum", "Mean"})


def _give_up_isolated(r: Rewriter, table: KernelTypes, lacking: set[int]) -> None:
    """A node with a float16 kernel runs in float32 too if all nodes around it do."""
    for node in r.nodes:
        if id(node) in lacking or _has_body(node) or r.gives_output(node):
            continue
        makers = [p for t in node.inputs if t and (p := r.producer(t)) is not None]
        looked_at = node.inputs[:1] if node.op in _VARIADIC else node.inputs
        if not makers or _HALF not in _dtypes(r, looked_at) or _HALF not in _dtypes(r, node.outputs):
            continue
        before = [p for t in looked_at if t and r.dtype(t) == _HALF and (p := r.producer(t)) is not None]
        after = [u for t in node.outputs if t and r.dtype(t) == _HALF for u in r.users(t)]
        if all(id(n) in lacking for n in (*before, *after)) and _has_single(r, table, node):
            lacking.add(id(node))


def _has_single(r: Rewriter, table: KernelTypes, node: Node) -> bool:
    sides = [tuple([_widened(r.dtype(t)) if t else "" for t in names]) for names in (node.inputs, node.outputs)]
    return table.has(node.kind, r.graph.opset.get(node.domain, 1), *sides)


def _widened(dtype: str) -> str:
    return _SINGLE if dtype == _HALF else dtype


def _cast(r: Rewriter, source: str, target: str, dtype: str, origin: Node, inserted: set[int]) -> None:
    t = TensorType(dtype, r.shape(source))
    cast = Node("Cast", [source], [target], {"to": 1 if dtype == _SINGLE else 10}, "", f"{origin.name}/cast")
    cast.origin = origin.origin
    inserted.add(id(r.add(cast, [t])))


def _run_in_single(r: Rewriter, node: Node, singles: dict[str, str], inserted: set[int]) -> None:
    for index, tensor in enumerate(node.inputs):
        if tensor and r.dtype(tensor) == _HALF:
            if tensor not in singles:
                singles[tensor] = r.tensor(TensorType(_SINGLE, r.shape(tensor)), "single")
                _cast(r, tensor, singles[tensor], _SINGLE, node, inserted)
            r.set_input(node, index, singles[tensor])
    if node.attributes.get("dtype") == 10:
        node.attributes["dtype"] = 1
    for index, tensor in enumerate(node.outputs):
        if tensor and r.dtype(tensor) == _HALF:
            single = r.tensor(TensorType(_SINGLE, r.shape(tensor)), "single")
            r.set_output(node, index, single)
            _cast(r, single, tensor, _HALF, node, inserted)


_FLOATS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}
_SIGNED = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_UNSIGNED = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_BITS = {"bool": 1, **_FLOATS, **_SIGNED, **_UNSIGNED}


def _is_unsafe(source: str, target: str, inserted: bool) -> bool:
    """Whether going from ``source`` to ``target`` may lose what going back does not restore."""
    if source not in _BITS or target not in _BITS:
        return True
    if target in _UNSIGNED and source not in _UNSIGNED and source != "bool":
        return True
    if source in _FLOATS and target not in _FLOATS:
        return True
    integral = source in _SIGNED or source in _UNSIGNED
    if (source in _UNSIGNED and target in _SIGNED) or (integral and target in _FLOATS):
        return _BITS[target] <= _BITS[source]
    if {source, target} == {"float16", "bfloat16"}:
        return True
    return _BITS[source] > _BITS[target] and not inserted


def _drop_duplicates(r: Rewriter, inserted: set[int]) -> None:
    """A cast before casts: those back to the first type vanish, others read what it reads."""
    for node in [n for n in r.nodes if n.op == "Cast"]:
        if not r.alive(node):
            continue
        source, made = node.inputs[0], node.outputs[0]
        before, after = r.dtype(source), r.dtype(made)
        unsafe = _is_unsafe(before, after, id(node) in inserted)
        users = list(r.users(made))
        casts = [u for u in users if u.op == "Cast" and not u.domain]
        if unsafe and any(_is_unsafe(r.dtype(c.outputs[0]), after, id(c) in inserted) for c in casts):
            continue
        for cast in casts:
            if r.dtype(cast.outputs[0]) == before and not r.is_output(cast.outputs[0]):
                r.bypass(cast, source)
        if users and len(casts) == len(users) and not r.is_output(made):
            for cast in casts:
                if r.alive(cast):
                    r.set_input(cast, 0, source)
            r.remove(node)


def convert_constants(r: Rewriter) -> bool:
    """A cast of a float16 constant for a single reader is done once, ahead of time; also for the last one left.

    Returns whether there was any.
    """
    before = r.changes
    for node in [n for n in r.nodes if n.op == "Cast" and r.is_constant(n.inputs[0])]:
        user = r.sole_user(node)
        if user is None or (r.dtype(node.inputs[0]), r.dtype(node.outputs[0])) != (_HALF, _SINGLE):
            continue
        value = r.value(node.inputs[0])
        shape = r.shape(node.inputs[0])
        single = (
            r.constant(t=TensorType(_SINGLE, shape)) if value is None else r.constant(value.astype("float32"), hint="c")
        )
        r.set_input(user, user.inputs.index(node.outputs[0]), single)
        r.remove(node)
    return r.changes != before
