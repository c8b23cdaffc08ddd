"""Search spaces of architecture search: a skeleton with layers of choices, and the graphs of its architectures.

The families of synthetic networks that are measured are in `graphs.spaces`.
"""

from __future__ import annotations

from graphs.search_spaces.assembly import assemble, assemble_row
from graphs.search_spaces.reading import read_search_space
from graphs.search_spaces.ready import READY, ready_space
from graphs.search_spaces.space import Block, Choice, Layer, SearchSpace
from graphs.search_spaces.walking import State, Step, Walker

__all__ = [
    "READY", "Block", "Choice", "Layer", "SearchSpace", "State", "Step", "Walker", "assemble", "assemble_row",
    "read_search_space", "ready_space",
]  # fmt: skip
