"""What surrounds a kernel in a run: how long ago its inputs were touched, and how much a whole run touches.

The same kernel takes up to twice as long when its input has left the caches since it was made. A list of kernels in
order of execution does not say who made which tensor; it is guessed by shape: an operand is taken for the tensor of its
type that was made last, a second operand of the same type for the one before. An operand that no kernel made is an
input of the network, and was touched one run ago. Constants too are touched once a run, so that the traffic of the run
decides whether they are still in a cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.costs import VIEWS
from graphs.kernels import Kernel

#: Binary logarithms of bytes touched since the largest input was, since the one longest ago was, and by a whole run.
COLUMNS = ("log_since_largest", "log_since_oldest", "log_run_traffic")

#: Logarithms are rounded to whole numbers between these (64 KiB and 256 MiB): finer steps would mean nothing, and
#: estimates are remembered by kernel and surroundings.
LOWEST, HIGHEST = 16, 28

Context = tuple[int, int, int]

#: Where nothing is known: everything hot.
HOT: Context = (LOWEST, LOWEST, LOWEST)

_Type = tuple[str, tuple[int, ...]]


class _Touched(NamedTuple):
    """What a kernel touches in a run."""

    #: Bytes of all operands; none for views.
    traffic: int
    view: bool
    #: Types and elements of the inputs that are computed, and types of the outputs.
    reads: tuple[tuple[_Type, int], ...]
    makes: tuple[_Type, ...]


@lru_cache(maxsize=20_000)
def _touched(kernel: Kernel) -> _Touched:
    view = kernel.kind in VIEWS
    traffic = 0 if view else sum(o.nbytes for o in (*kernel.inputs, *kernel.outputs) if o is not None)
    reads = [((o.dtype, o.shape), o.elements) for o in kernel.inputs if o is not None and not o.constant]
    return _Touched(traffic, view, tuple(reads), tuple([(o.dtype, o.shape) for o in kernel.outputs]))


def traffic_of(kernel: Kernel) -> int:
    """Bytes that a kernel touches in a run: all operands; none for views."""
    return _touched(kernel).traffic


def contexts_of(kernels: Sequence[Kernel], run: int | None = None) -> list[Context]:
    """`COLUMNS` of every kernel of a run, which are in order of execution; ``run`` is given where the bytes that the
    run touches are to be taken for others than the kernels' own.
    """
    touched = [_touched(kernel) for kernel in kernels]
    run = sum([touch.traffic for touch in touched]) if run is None else run
    last = rounded(run)
    clock = 0
    #: By type, when the tensors made so far were touched last, the newest at the end.
    tensors: dict[_Type, list[int]] = {}
    contexts = []
    for size, view, reads, makes in touched:
        since_largest = since_oldest = 0
        largest = -1
        used: dict[_Type, int] = {}
        touched_at = clock
        for kind, elements in reads:
            nth = used[kind] = used.get(kind, 0) + 1
            made = tensors.get(kind, ())
            touched_at = made[-nth] if len(made) >= nth else clock - run
            since = clock - touched_at
            since_oldest = max(since_oldest, since)
            if elements > largest:
                largest, since_largest = elements, since
        contexts.append((rounded(since_largest), rounded(since_oldest), last))
        clock += size
        for kind, count in used.items():
            known = tensors.setdefault(kind, [])
            while len(known) < count:  # inputs of the network are older than all that was made
                known.insert(0, touched_at if view else clock)
            if not view:
                known[-count:] = [clock] * count
        for kind in makes:
            tensors.setdefault(kind, []).append(touched_at if view else clock)
    return contexts


def context_columns(contexts: Sequence[Context]) -> NDArray[np.float32]:
    """As an array, ``[n, 3]``."""
    return np.array(contexts, dtype=np.float32).reshape(-1, len(COLUMNS))


def rounded(size: int) -> int:
    """Binary logarithm of a number of bytes as contexts have it."""
    log = size.bit_length()
    return LOWEST if log < LOWEST else HIGHEST if log > HIGHEST else log
