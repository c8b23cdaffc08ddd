"""The ordered list of passes over quantised graphs, and where in the levels of `graphs.lowering` they have their place.

Unlike the rules of `graphs.lowering.passes`, each walks over the graph by itself. ``since`` and ``until`` bound the
releases of onnxruntime for which a pass is known to hold, ``isas`` the instruction sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphs.lowering import qdq_constants, qdq_fusions, qdq_pairs, qdq_propagation
from graphs.lowering.profile import ARM, X86, LoweringProfile
from graphs.lowering.rewriter import Rewriter


@dataclass(frozen=True, slots=True)
class QuantisedPass:
    """One walk over a quantised graph."""

    name: str
    apply: Callable[[Rewriter], None]
    since: tuple[int, int] = (1, 20)
    until: tuple[int, int] = (1, 99)
    #: Instruction sets; None for all.
    isas: frozenset[str] | None = None

    def holds_for(self, profile: LoweringProfile) -> bool:
        return self.since <= profile.release <= self.until and (self.isas is None or profile.isa in self.isas)


#: Once, before all else.
AT_FIRST = (QuantisedPass("a DQ per reader", qdq_pairs.separate_dequantisers),)

#: In every round of level 1, around its rules.
LEVEL_1_BEFORE_RULES = (QuantisedPass("double pairs", qdq_pairs.merge_double_pairs),)
LEVEL_1_AFTER_RULES = (
    QuantisedPass("quantised constants", qdq_constants.fold_quantised),
    QuantisedPass("propagation", qdq_propagation.propagate),
    QuantisedPass("weights and biases", qdq_constants.quantise_constants, since=(1, 31)),
    QuantisedPass("choices", qdq_constants.quantise_choices, since=(1, 31)),
    QuantisedPass("a DQ per reader", qdq_pairs.separate_dequantisers),
)

#: In every round of level 2, around its rules.
LEVEL_2_BEFORE_RULES = (
    QuantisedPass("signed to unsigned", qdq_constants.activations_to_unsigned, isas=X86),
    QuantisedPass("quantised operators", qdq_fusions.fuse_quantised, isas=X86),
    QuantisedPass("quantised operators, signed too", qdq_fusions.fuse_quantised_signed, isas=ARM),
)
LEVEL_2_AT_LAST = (QuantisedPass("empty pairs", qdq_pairs.drop_empty_pairs),)


def is_quantised(r: Rewriter) -> bool:
    """Whether there is anything that these passes look at."""
    return any(node.op in (qdq_pairs.Q, qdq_pairs.DQ, "QLinearConv") for node in r.nodes)


def apply_all(r: Rewriter, passes: tuple[QuantisedPass, ...], profile: LoweringProfile) -> None:
    """Those of ``passes`` that hold, in order."""
    for p in passes:
        if p.holds_for(profile):
            r.sort()
            p.apply(r)
