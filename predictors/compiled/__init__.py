"""Compiled search spaces: a table from which any architecture of a space is priced by a few look-ups.

The way: `automaton` (which neighbourhoods of blocks occur) → `covering` (architectures in which all of them do) →
`observing` (the kernels of these architectures, block by block) → `values` (what they cost) → `tables` (merged and
composed) → `space` (rows of choices in, predictions out). `compiling` goes the way and measures the error against full
predictions.
"""

from __future__ import annotations

from predictors.compiled.compiling import Limits, compile_space
from predictors.compiled.lookup import SpaceTable, space_table
from predictors.compiled.space import CompiledSpace, Errors, RowPredictions
from predictors.compiled.storage import load_compiled, save_compiled

__all__ = [
    "CompiledSpace", "Errors", "Limits", "RowPredictions", "SpaceTable", "compile_space",
    "load_compiled", "save_compiled", "space_table",
]  # fmt: skip
