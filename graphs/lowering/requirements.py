"""What a runtime refuses to load, refused by name before anything is predicted for it."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph, UnsupportedOperator
from graphs.ir import Graph, Node
from graphs.lowering.kernel_types import kernel_types
from graphs.lowering.profile import LoweringProfile
from graphs.lowering.rewriter import Rewriter


def require_opset(graph: Graph, profile: LoweringProfile) -> None:
    """Raise InvalidGraph for an operator set that is newer than the runtime."""
    table = kernel_types(profile)
    opset = graph.opset.get("", 1)
    if table is not None and opset > table.newest_opset:
        raise InvalidGraph(
            f"{profile.runtime} {profile.version} does not load operator set {opset}; export or convert the model to "
            f"{table.newest_opset} or older (onnx.version_converter)"
        )


def refuse_without_kernel(r: Rewriter, lacking: Sequence[Node], profile: LoweringProfile) -> None:
    """Raise UnsupportedOperator for the nodes that the provider has no kernel for, as the runtime would on loading."""
    found = {(n.kind, ", ".join(dict.fromkeys(r.dtype(t) for t in n.inputs or n.outputs if t))) for n in lacking}
    if found:
        named = "; ".join(f"{kind} of {dtypes or 'nothing'}" for kind, dtypes in sorted(found))
        raise UnsupportedOperator(
            sorted({kind for kind, _ in found}),
            f"{profile.runtime} {profile.version} has no kernel in its {profile.provider} for: {named}; "
            "convert the model to types (float32) and an operator set that it has kernels for",
        )
