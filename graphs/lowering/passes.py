"""The ordered list of rewrites, level by level, as the runtime applies them.

Every level is repeated until nothing changes (at most ten times), each of its passes once per round. A rule looks at
one node; it runs on every live node of its operators in topological order. ``since`` and ``until`` bound the releases
of onnxruntime for which a pass is known to hold, ``isas`` the instruction sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from graphs.interruption import checkpoint
from graphs.ir import Node
from graphs.lowering import (
    activations,
    attention_fusions,
    conv_fusions,
    eliminations,
    integer_products,
    matmul_fusions,
    norm_fusions,
    qdq_clamps,
    shape_fusions,
    weight_only,
)
from graphs.lowering.profile import ARM_HALF, X86, LoweringProfile
from graphs.lowering.rewriter import Rewriter

Rule = Callable[[Rewriter, Node], None]


#: Nodes between two looks at whether anybody still wants the result (a power of two).
_CHECK_EVERY = 16


@dataclass(frozen=True)
class Pass:
    """Rules by operator, tried together on each node in turn."""

    name: str
    rules: dict[str, tuple[Rule, ...]]
    since: tuple[int, int] = (1, 20)
    until: tuple[int, int] = (1, 99)
    #: Instruction sets; None for all, but some.
    isas: frozenset[str] | None = None
    except_for: frozenset[str] = frozenset()

    def holds_for(self, profile: LoweringProfile) -> bool:
        known = self.since <= profile.release <= self.until and profile.isa not in self.except_for
        return known and (self.isas is None or profile.isa in self.isas)

    @cached_property
    def operators(self) -> frozenset[str]:
        """What it looks at, without domains."""
        return frozenset(kind.rpartition(".")[2] for kind in self.rules)

    def apply(self, r: Rewriter) -> None:
        rules, operators = self.rules, self.operators
        for number, node in enumerate([n for n in r.nodes if n.op in operators and n.kind in rules]):
            if not number % _CHECK_EVERY:
                checkpoint()
            for rule in rules[node.kind] if r.alive(node) else ():
                if r.alive(node):
                    rule(r, node)


def _rules(rule: Rule, *ops: str) -> dict[str, tuple[Rule, ...]]:
    return dict.fromkeys(ops, (rule,))


_REWRITE_RULES = Pass(
    "rewrite rules",
    {
        "Identity": (eliminations.eliminate_identity,), "Dropout": (eliminations.eliminate_dropout,),
        "Slice": (eliminations.eliminate_slice,), "Expand": (eliminations.eliminate_expand,),
        "Cast": (eliminations.eliminate_cast,), "Add": (eliminations.eliminate_noop,),
        "Sub": (eliminations.eliminate_noop,), "Mul": (eliminations.eliminate_noop,),
        "Div": (eliminations.eliminate_noop, activations.fuse_div_mul), "Relu": (conv_fusions.fuse_relu_clip,),
        "Gemm": (matmul_fusions.fuse_gemm_sum, matmul_fusions.fuse_gemm_transposes),
        "Not": (activations.fuse_not_where,),
        "Conv": (conv_fusions.fold_followers,),
        "ConvTranspose": (conv_fusions.fold_batch_norm,), "Pad": (conv_fusions.fuse_pad,),
        "MatMul": (matmul_fusions.fold_matmul_batch_norm,),
    },
)  # fmt: skip

LEVEL_1: tuple[Pass, ...] = (
    Pass(
        "constants of half precision",
        _rules(eliminations.fold_half, "Add", "Sub", "Mul", "Div", "Relu", "Erf", "LeakyRelu", "MatMul", "Gemm"),
        isas=ARM_HALF,
    ),
    _REWRITE_RULES,
    Pass("matmul + add", _rules(matmul_fusions.fuse_matmul_add_early, "MatMul")),
    Pass("reshape chains", _rules(shape_fusions.fuse_reshapes, "Reshape")),
    Pass("gelu", _rules(activations.fuse_standard_gelu, "Div", "Mul")),
    Pass("layer norm", _rules(norm_fusions.fuse_standard_layer_norm, "ReduceMean")),
)

LEVEL_2_RULES: tuple[Pass, ...] = (
    Pass("quantised relu", {"Relu": (qdq_clamps.drop_relu,), "Clip": (qdq_clamps.drop_clip,)}),
    Pass("gemm transposes", _rules(matmul_fusions.fuse_gemm_transposes, "Gemm")),
)

LEVEL_2_BEFORE_SPLITS: tuple[Pass, ...] = (
    Pass("gemm activation", _rules(matmul_fusions.fuse_gemm_activation, "Gemm")),
    Pass("integer product", _rules(integer_products.fuse_integer_product, "Mul")),
    Pass("dynamic product", _rules(integer_products.fuse_dynamic_product, "com.microsoft.MatMulIntegerToFloat")),
    Pass("conv hard swish", _rules(conv_fusions.fuse_hard_swish, "Conv"), isas=X86),
    Pass("conv activation", _rules(conv_fusions.fuse_activation, "Conv")),
    Pass("conv activation, half precision too", _rules(conv_fusions.fuse_half_activation, "Conv"), isas=ARM_HALF),
    Pass("gelu", _rules(activations.fuse_gelu, "Div", "Mul"), except_for=ARM_HALF),
    Pass("gelu, of single precision", _rules(activations.fuse_single_gelu, "Div", "Mul"), isas=ARM_HALF),
    Pass("layer norm", _rules(norm_fusions.fuse_layer_norm, "ReduceMean")),
    Pass("rms norm", _rules(norm_fusions.fuse_rms_norm, "Pow")),
    Pass("attention", _rules(attention_fusions.fuse_mobile_clip_attention, "MatMul"), since=(1, 28)),
)

LEVEL_2_AFTER_SPLITS: tuple[Pass, ...] = (
    Pass("matmul + add", _rules(matmul_fusions.fuse_matmul_add, "MatMul")),
    Pass("matmul transposes", _rules(matmul_fusions.fuse_matmul_transposes, "MatMul", "com.microsoft.FusedMatMul")),
    Pass("bias gelu", _rules(activations.fuse_bias_gelu, "Add")),
    Pass("skip layer norm", _rules(norm_fusions.fuse_skip_layer_norm, "LayerNormalization")),
    Pass(
        "bias skip layer norm",
        _rules(norm_fusions.fuse_bias_skip_layer_norm, "com.microsoft.SkipLayerNormalization"),
    ),
    Pass("fast gelu", _rules(activations.fuse_fast_gelu, "Tanh")),
    Pass("quick gelu", _rules(activations.fuse_quick_gelu, "Sigmoid")),
    Pass("matmul scale", _rules(matmul_fusions.fuse_matmul_scale, "MatMul", "com.microsoft.FusedMatMul")),
    Pass("bias of quantised weights", _rules(weight_only.fuse_bias, "com.microsoft.MatMulNBits")),
)

LEVEL_3: tuple[Pass, ...] = (
    Pass("conv residual", _rules(conv_fusions.fuse_residual, "Conv")),
    Pass(
        "conv residual, half precision too",
        _rules(conv_fusions.fuse_half_residual, "Conv", "com.microsoft.NhwcFusedConv"),
        isas=ARM_HALF,
    ),
    Pass("cast pairs", _rules(eliminations.eliminate_cast_pair, "Cast")),
)
