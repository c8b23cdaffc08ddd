"""The table that differentiable search needs: what each choice of each layer adds, as if all were independent.

An entry is what a choice changes on average over all choices of the other layers (its main effect), plus what the
layer itself costs on average. So entries of layers with blocks read as milliseconds of the block; entries of layers
that only set a size are how much more or less the whole costs by it. Where costs really add up, the sum over the layers
is the prediction. Where they do not, as where a resolution multiplies everything, it is the best sum there is, and
``errors`` says how good. Fixing such layers makes the rest additive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.search_spaces import SearchSpace
from predictors.compiled.compiling import ChainSource
from predictors.compiled.space import CompiledSpace, draw_rows
from predictors.compiled.values import ADDED, ENERGY, Floats
from predictors.compiled.whole import Enumeration
from predictors.errors import NoLookupTable

#: Columns of the table while it is made.
_KEPT = [ADDED, ENERGY]

#: Architectures drawn to weigh lengths of runs, and to measure how well the sum holds.
_SAMPLES = 2048


@dataclass(frozen=True, slots=True)
class SpaceTable:
    """Milliseconds and millijoules; ``fixed`` ones are those of no layer. Energies are None where none can be said."""

    space: SearchSpace
    #: By layer, the choices that it has here: all of them, or the one that was fixed.
    choices: tuple[tuple[int, ...], ...]
    #: By layer, one entry per choice that it has here.
    latency_ms: tuple[Floats, ...]
    energy_mj: tuple[Floats, ...] | None
    fixed_latency_ms: float
    fixed_energy_mj: float | None
    #: Mean and largest deviation of the sum from compiled predictions of architectures drawn at random, as shares.
    error_mean: float
    error_max: float


def space_table(compiled: CompiledSpace, fixed: Mapping[str, str | int] | None = None, seed: int = 2) -> SpaceTable:
    """The table of a compiled space, with some layers ``fixed`` to a choice (by name or position).

    Raises:
        InvalidChoices: there is no such layer or choice.
        NoLookupTable: the space is priced architecture by architecture.
    """
    space = compiled.space
    row = space.row(dict(fixed or {}))
    pinned = {layer.name for layer in space.layers if layer.name in (fixed or {})}
    kept = tuple(
        (row[i],) if layer.name in pinned else tuple(range(len(layer.choices))) for i, layer in enumerate(space.layers)
    )
    drawn = _draw(space, kept, seed)
    total, effects, own = _moments(compiled, kept, drawn)
    entries = [effect - total + mine for effect, mine in zip(effects, own, strict=True)]
    constant_ms = compiled.predictor.composition.overhead_us(0) / 1e3
    power = compiled.predictor.power
    rest = total - np.sum(own, axis=0)
    latency = tuple(entry[:, 0] for entry in entries)
    fixed_ms = float(rest[0]) + constant_ms
    sums = fixed_ms + sum(
        values[np.searchsorted(choices, drawn[:, i])]
        for i, (choices, values) in enumerate(zip(kept, latency, strict=True))
    )
    deviation = np.abs(sums / compiled.predict(drawn).latency_ms - 1.0)
    return SpaceTable(
        space, kept, latency,
        None if power is None else tuple(entry[:, 1] for entry in entries), fixed_ms,
        None if power is None else float(rest[1]) + power.kernel_mj(constant_ms, 1.0),
        float(deviation.mean()), float(deviation.max()),
    )  # fmt: skip


def _draw(space: SearchSpace, kept: Sequence[Sequence[int]], seed: int) -> NDArray[np.int64]:
    drawn = draw_rows(space, _SAMPLES, seed)
    for layer, choices in enumerate(kept):
        if len(choices) == 1:
            drawn[:, layer] = choices[0]
    return drawn


def _moments(
    compiled: CompiledSpace, kept: Sequence[Sequence[int]], drawn: NDArray[np.int64]
) -> tuple[Floats, list[Floats], list[Floats]]:
    """``[2]`` the mean of all, by layer ``[choices, 2]`` the means by choice, and ``[2]`` the layer's own mean."""
    source = compiled.source
    if isinstance(source, ChainSource):
        return _of_chain(source, kept, drawn)
    if isinstance(source, Enumeration):
        shape = (*compiled.space.choices, len(_KEPT))
        values = source.sums[:, _KEPT].reshape(shape)[np.ix_(*kept, range(len(_KEPT)))]
        axes = tuple(range(len(kept)))
        effects = [values.mean(axis=tuple(a for a in axes if a != layer)) for layer in axes]
        return values.mean(axis=axes), effects, [np.zeros(len(_KEPT)) for _ in axes]
    raise NoLookupTable(
        f"{compiled.space.name} is no chain of layers and too large to be priced beforehand: it has no lookup table; "
        "ask for predictions, or restrict it to fewer choices"
    )


def _of_chain(
    source: ChainSource, kept: Sequence[Sequence[int]], drawn: NDArray[np.int64]
) -> tuple[Floats, list[Floats], list[Floats]]:
    """By dynamic programming: forwards, chances and what was added so far; backwards, what is still to come."""
    tables = source.tables
    costs = np.tensordot(source.strides.step_shares(drawn), tables.sums[:, :, _KEPT], axes=1)  # [emissions, 2]
    added = [costs[emitted[:, list(choices)]] for emitted, choices in zip(tables.emitted, kept, strict=True)]
    leads = [next_[:, list(choices)] for next_, choices in zip(tables.next, kept, strict=True)]
    coming = [np.zeros((1 + max(int(leads[-1].max()), 0), len(_KEPT)))]
    for cost, lead in zip(reversed(added), reversed(leads), strict=True):
        coming.append((cost + coming[-1][lead]).mean(axis=1))
    coming.reverse()
    chance, so_far = np.ones(1), np.zeros((1, len(_KEPT)))
    effects, own = [], []
    for layer, (cost, lead) in enumerate(zip(added, leads, strict=True)):
        after = coming[layer + 1]
        ahead = chance[:, None, None] * (cost + after[lead])
        effects.append(so_far.sum(axis=0) + ahead.sum(axis=0))
        own.append((chance[:, None, None] * cost).sum(axis=0).mean(axis=0))
        share = np.broadcast_to(chance[:, None] / lead.shape[1], lead.shape)
        carried = (so_far[:, None] + chance[:, None, None] * cost) / lead.shape[1]
        chance, so_far = np.zeros(len(after)), np.zeros((len(after), len(_KEPT)))
        np.add.at(chance, lead, share)
        np.add.at(so_far, lead, carried)
    return coming[0][0], effects, own
