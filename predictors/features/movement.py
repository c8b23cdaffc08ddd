"""Features of operators that only move data: what decides is how long the contiguous pieces are."""

from __future__ import annotations

from math import prod

import numpy as np

from graphs.dtypes import BITS
from graphs.kernels import Kernel
from predictors.features._columns import FeatureGroup, Floats, bits, log2, utilisation

OPERATORS = frozenset({
    "Transpose", "Concat", "Split", "SplitToSequence", "Slice", "Gather", "GatherElements", "GatherND", "Pad",
    "Expand", "Tile", "ReorderInput", "ReorderOutput", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Resize",
    "Upsample", "DepthToSpace", "SpaceToDepth", "ScatterElements", "ScatterND", "Scatter", "QLinearConcat",
    "Compress", "ReverseSequence", "CenterCropPad", "Col2Im", "GridSample", "AffineGrid", "OneHot",
    "ConstantOfShape", "Range", "Shape", "Size", "NonZero", "EmbedLayerNormalization", "MemcpyToHost",
    "MemcpyFromHost", "TensorScatter", "Crop", "UpsampleNearest", "RoiAlign", "MaxRoiPool", "MaxUnpool",
    "BlackmanWindow", "HannWindow", "HammingWindow", "Unique",
})  # fmt: skip

_COLUMNS = (
    "log_elements", "log_in_elements", "log_pieces", "log_run", "log_run_bytes", "log_outer", "log_rows",
    "log_columns", "log_stride_bytes", "fill_rows", "fill_columns", "merged_rank", "inner_moves", "pieces",
    "log_shortest", "rank", "bits", "mode", "log_scale_h", "log_scale_w", "channels_last", "log_channels",
    "fill_channels", "one_axis_moves",
)  # fmt: skip

_MODES = {"nearest": 1.0, "linear": 2.0, "cubic": 3.0, "reflect": 4.0, "edge": 5.0, "wrap": 6.0, "DCR": 7.0, "CRD": 8.0}


def merged_permutation(shape: tuple[int, ...], perm: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same transposition with the fewest axes: sizes of 1 dropped, axes that stay neighbours merged.

    Returns (input shape, permutation). ``(2, 3, 4, 5), (0, 2, 3, 1)`` gives ``(2, 3, 20), (0, 2, 1)``.
    """
    order = [axis for axis in perm if shape[axis] != 1]
    blocks: list[list[int]] = []
    for axis in order:
        if blocks and all(shape[a] == 1 for a in range(blocks[-1][-1] + 1, axis)) and axis > blocks[-1][-1]:
            blocks[-1].append(axis)
        else:
            blocks.append([axis])
    place = {tuple(block): i for i, block in enumerate(sorted(blocks))}
    sizes = tuple(prod(shape[a] for a in block) for block in sorted(blocks))
    return sizes, tuple(place[tuple(block)] for block in blocks)


def moves_one_axis(order: tuple[int, ...]) -> bool:
    """Whether a permutation is the identity but for one axis that moves, which runtimes have faster code for."""
    differing = [i for i, axis in enumerate(order) if axis != i]
    if not differing:
        return False
    piece = order[differing[0] : differing[-1] + 1]
    inner = tuple(range(differing[0], differing[-1] + 1))
    return piece in (inner[1:] + inner[:1], inner[-1:] + inner[:-1])


def _transposition(shape: tuple[int, ...], perm: tuple[int, ...]) -> tuple[float, ...]:
    """(run, outer, rows, columns, stride, merged rank, whether the innermost axis moves)."""
    sizes, order = merged_permutation(shape, perm)
    rank = len(sizes)
    if rank < 2:
        return prod(shape), 1, 1, prod(shape), 1, rank, 0
    if order[-1] == rank - 1:  # whole runs move
        return sizes[-1], prod(sizes[:-2]), sizes[-2], sizes[-1], prod(sizes[order[-2] + 1 :]), rank, 0
    outer = prod(sizes[: next(i for i in range(rank) if order[i] != i)])
    return 1, outer, sizes[-1], sizes[order[-1]], prod(sizes[order[-1] + 1 :]), rank, 1


def _moved(kernel: Kernel, op: str) -> tuple[float, ...]:
    """As `_transposition`, for every operator here: how its data is cut into contiguous pieces."""
    shape = kernel.inputs[0].shape if kernel.inputs and kernel.inputs[0] is not None else ()
    out = kernel.outputs[0].shape if kernel.outputs else ()
    axis = kernel.attribute("axis", 0)
    if op == "Transpose":
        return _transposition(shape, kernel.attribute("perm"))
    if op in ("Concat", "QLinearConcat"):
        inner = prod(out[axis + 1 :])
        return prod(out[axis:]), prod(out[:axis]), 1, inner, prod(out[axis:]), 2, 0
    if op == "Split":
        return prod(out[axis:]), prod(shape[:axis]), 1, prod(out[axis + 1 :]), prod(shape[axis:]), 2, 0
    if op in ("Gather", "GatherElements", "ScatterElements"):
        run = prod(shape[axis + 1 :])
        return run, prod(shape[:axis]), max(prod(out) // max(run, 1), 1), run, prod(shape[axis:]), 2, 0
    if op.startswith("Reorder") and len(shape) > 2:
        area = prod(shape[1:-1] if kernel.attribute("channels_last") and op == "ReorderInput" else shape[2:])
        return area, shape[0], prod(out) // max(area * out[0], 1), area, area, 3, 1
    # Slice, Pad, Expand, Tile, Resize and the rest: the trailing axes that stay as they are form one piece.
    run = 1
    for have, want in zip(reversed(shape), reversed(out), strict=False):
        run *= want
        if have != want:
            break
    steps = kernel.attribute("steps") or ()
    return run, max(prod(out) // max(run, 1), 1), 1, run, prod(shape[1:]), len(out), any(step != 1 for step in steps)


def _raw(kernel: Kernel) -> tuple[float, ...]:
    op = kernel.kind.rpartition(".")[2]
    inputs = [o for o in kernel.inputs if o is not None]
    x, y = (inputs[0] if inputs else None), kernel.outputs[0]
    total, total_in = sum(o.elements for o in kernel.outputs), sum(o.elements for o in inputs)
    pieces = len(kernel.outputs) if op == "Split" else len(inputs)
    axis = kernel.attribute("axis", 0)
    parts = kernel.outputs if op == "Split" else inputs if "Concat" in op else ()
    shortest = min((prod(o.shape[axis:]) for o in parts), default=0)
    one_axis = (
        op == "Transpose" and moves_one_axis(merged_permutation(x.shape, kernel.attribute("perm"))[1]) if x else 0
    )
    scales = (1.0, 1.0)
    if x is not None and len(x.shape) == len(y.shape) > 2:
        scales = (y.shape[-2] / max(x.shape[-2], 1), y.shape[-1] / max(x.shape[-1], 1))
    channels_last = kernel.attribute("channels_last", 0)
    channels = y.shape[-1 if channels_last and op == "ReorderOutput" else 1] if len(y.shape) > 1 else 1
    return (
        total, total_in, pieces, *_moved(kernel, op), shortest, len(y.shape), bits(x) or BITS[y.dtype],
        _MODES.get(str(kernel.attribute("mode", "")), 0.0), *scales, channels_last, channels,
        one_axis,
    )  # fmt: skip


def _derive(raw: Floats) -> Floats:
    total, total_in, pieces, run, outer, rows, columns, stride, rank, moves, shortest = raw[:, :11].T
    item = raw[:, 12] / 8.0
    derived = (
        log2(total), log2(total_in), log2(pieces), log2(run), log2(run * item), log2(outer), log2(rows), log2(columns),
        log2(stride * item), utilisation(rows, 16), utilisation(columns, 16), rank, moves, pieces, log2(shortest),
        *raw[:, 11:14].T, *np.log2(np.maximum(raw[:, 14:16], 1e-3)).T, raw[:, 16], log2(raw[:, 17]),
        utilisation(raw[:, 17], 16), raw[:, 18],
    )  # fmt: skip
    return np.stack(derived, axis=1)


GROUP = FeatureGroup("movement", _COLUMNS, _raw, _derive)
