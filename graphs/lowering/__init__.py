"""Lowering: from an architecture graph to the kernels that a runtime executes after its optimisations."""

from __future__ import annotations

from collections.abc import Callable

from graphs.ir import Graph
from graphs.kernels import Kernel
from graphs.kernels_of import kernels_of
from graphs.lowering import qdq_passes
from graphs.lowering.devices import PROCESSOR_ONLY, available_kernels, fuse_bias_softmax, is_device, placed
from graphs.lowering.functions import expand_functions
from graphs.lowering.nchwc import to_blocked_layout
from graphs.lowering.nhwc import to_channels_last
from graphs.lowering.passes import (
    LEVEL_1,
    LEVEL_2_AFTER_SPLITS,
    LEVEL_2_BEFORE_SPLITS,
    LEVEL_2_RULES,
    LEVEL_3,
    Pass,
)
from graphs.lowering.precision import convert_constants, hide, insert_casts, reveal, uses_half
from graphs.lowering.profile import ARM_HALF, LoweringProfile
from graphs.lowering.requirements import refuse_without_kernel, require_opset
from graphs.lowering.rewriter import Rewriter
from graphs.lowering.shape_fusions import merge_equal, split_all_picks
from graphs.lowering.transposes import move_transposes
from graphs.lowering.uncertain import uncertain_tensors

__all__ = ["LoweringProfile", "lower", "optimise"]

_MAX_ROUNDS = 10

#: Fusions that have kernels on devices alone.
DEVICE_LEVEL_2 = (Pass("bias softmax", {"Softmax": (fuse_bias_softmax,)}),)


def optimise(graph: Graph, profile: LoweringProfile) -> Graph:
    """``graph`` as the runtime executes it, one node per kernel; the argument (inferred, static) is left as it is."""
    require_opset(graph, profile)
    r = Rewriter(graph)
    r.uncertain = uncertain_tensors(graph)
    quantised = qdq_passes.is_quantised(r)
    if quantised:
        qdq_passes.apply_all(r, qdq_passes.AT_FIRST, profile)
    _repeat(r, lambda first: _level_1(r, profile, quantised, first))
    r, again = _assign(r, profile, lambda halves: _late_levels(halves, profile, quantised))
    if again:
        _late_levels(r, profile, quantised)
    if r.lasting:
        convert_constants(r)
    r.drop_unused()
    return placed(r.finish(), profile)


def lower(graph: Graph, profile: LoweringProfile) -> list[Kernel]:
    """The kernels that the runtime executes for an inferred, static ``graph``, in order of execution."""
    return kernels_of(optimise(graph, profile))


def _assign(r: Rewriter, profile: LoweringProfile, late_levels: Callable[[Rewriter], None]) -> tuple[Rewriter, bool]:
    """Give nodes to the provider's kernels: functions where it has none, float32 where it has none for float16.

    Casts come after the late levels, and where they change constants, these levels again. That shows only where half
    precision has many kernels; elsewhere once is enough. Returns whether the late levels are still to come.
    """
    table = available_kernels(profile)
    if table is None:
        return r, True
    r.drop_unused()
    graph = r.finish()
    expanded, lacking = expand_functions(graph, table)
    if expanded is not graph:
        uncertain, r = r.uncertain, Rewriter(expanded, owned=True)
        r.uncertain = uncertain
    before, in_halves = r.changes, profile.isa in ARM_HALF and uses_half(r)
    if in_halves:
        hide(r, [n for n in r.nodes if not table.covers(r.graph, n)])
        late_levels(r)
        reveal(r)
        r.sort()
    converted = insert_casts(r, table)
    if r.changes != before:
        lacking = [n for n in r.nodes if not table.covers(r.graph, n)]
    refuse_without_kernel(r, lacking, profile)
    return r, converted or not in_halves


def _repeat(r: Rewriter, level: Callable[[bool], None]) -> None:
    """Rounds until nothing changes; ``level`` is told which of them is the first."""
    for number in range(_MAX_ROUNDS):
        before = r.changes
        level(number == 0)
        if r.changes == before:
            return


def _late_levels(r: Rewriter, profile: LoweringProfile, quantised: bool) -> None:
    """All rewrites of nodes that belong to a provider already."""
    _repeat(r, lambda first: _level_2(r, profile, quantised, first))
    if is_device(profile):
        _apply(r, DEVICE_LEVEL_2, profile)
    if profile.nchwc_block:
        r.sort()
        to_blocked_layout(r, profile.nchwc_block)
    if (quantised and not is_device(profile)) or profile.isa in ARM_HALF:
        r.sort()
        to_channels_last(r, profile)
    _apply(r, LEVEL_3, profile)


def _level_1(r: Rewriter, profile: LoweringProfile, quantised: bool, first: bool) -> None:
    if quantised:
        qdq_passes.apply_all(r, qdq_passes.LEVEL_1_BEFORE_RULES, profile)
    merge_equal(r)
    _apply(r, LEVEL_1, profile)
    if quantised:
        qdq_passes.apply_all(r, qdq_passes.LEVEL_1_AFTER_RULES, profile)
    if first:
        r.sort()
        move_transposes(r, assigned=False)


def _level_2(r: Rewriter, profile: LoweringProfile, quantised: bool, first: bool) -> None:
    _apply(r, LEVEL_2_RULES, profile)
    if first and not is_device(profile):
        r.sort()
        move_transposes(r, assigned=True)
    if quantised:
        qdq_passes.apply_all(r, qdq_passes.LEVEL_2_BEFORE_RULES, profile)
    _apply(r, LEVEL_2_BEFORE_SPLITS, profile)
    split_all_picks(r)
    _apply(r, LEVEL_2_AFTER_SPLITS, profile)
    if quantised:
        qdq_passes.apply_all(r, qdq_passes.LEVEL_2_AT_LAST, profile)


def _apply(r: Rewriter, passes: tuple[Pass, ...], profile: LoweringProfile) -> None:
    present = {node.op for node in r.nodes}
    for p in passes:
        if present.isdisjoint(p.operators) or r.idle_at.get(id(p)) == r.changes or not p.holds_for(profile):
            continue
        if p.name in PROCESSOR_ONLY and is_device(profile):
            continue
        r.sort()
        before = r.changes
        p.apply(r)
        if r.changes == before:
            r.idle_at[id(p)] = before
        else:
            present = {node.op for node in r.nodes}
