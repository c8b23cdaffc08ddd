"""Features of everything else: attention, recurrent layers and operators without a group of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphs.kernels import Kernel
from predictors.features._columns import FeatureGroup, Floats, bits, elements, log2, utilisation

#: Contributed operators without a group of their own whose operands say what they cost.
KNOWN = frozenset({
    "Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention", "DecoderMaskedMultiHeadAttention",
    "PackedAttention", "PackedMultiHeadAttention", "QLinearGlobalAveragePool", "Rfft", "Irfft", "GridSample",
    "DynamicQuantizeLSTM", "EmbedLayerNormalization", "QOrderedMatMul",
})  # fmt: skip

_SIZES = 4
_COLUMNS = (
    *(f"log_in{i}" for i in range(4)), "log_out", "log_outputs", "operands", "constants", "outputs", "bits",
    *(f"log_size{i}" for i in range(_SIZES)), "log_last", "log_heads", "log_head_size", "log_hidden", "log_steps",
    "causal", "directions", "fill_head", "fill_last",
)  # fmt: skip


def _raw(kernel: Kernel) -> tuple[float, ...]:
    attributes: dict[str, Any] = dict(kernel.attributes)
    inputs = [o for o in kernel.inputs if o is not None]
    x = inputs[0] if inputs else None
    shape = x.shape if x is not None else ()
    sizes = [elements(o) for o in inputs[:4]] + [0] * (4 - len(inputs[:4]))
    leading = list(shape[:_SIZES]) + [1] * (_SIZES - len(shape[:_SIZES]))
    heads = attributes.get("num_heads") or attributes.get("q_num_heads") or 1
    last = shape[-1] if shape else 1
    steps = shape[0] if "hidden_size" in attributes and shape else shape[-2] if len(shape) > 1 else 1
    out = kernel.outputs[0].elements if kernel.outputs else 0
    return (
        *sizes, out, sum(o.elements for o in kernel.outputs), len(inputs), sum(o.constant for o in inputs),
        len(kernel.outputs), bits(x), *leading, last, heads, last / heads, attributes.get("hidden_size", 0), steps,
        attributes.get("unidirectional", 0) or attributes.get("is_causal", 0),
        1 + (attributes.get("direction") == "bidirectional"),
    )  # fmt: skip


def _derive(raw: Floats) -> Floats:
    columns = (
        *log2(raw[:, :6]).T, *raw[:, 6:10].T, *log2(raw[:, 10:19]).T, raw[:, 19], raw[:, 20],
        utilisation(raw[:, 16], 16), utilisation(raw[:, 14], 16),
    )  # fmt: skip
    return np.stack(columns, axis=1)


GROUP = FeatureGroup("generic", _COLUMNS, _raw, _derive)
