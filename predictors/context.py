"""What surrounds a kernel in a run: how long ago its inputs were touched, and how long a whole run takes.

The same kernel takes up to twice as long when its input has left the caches since it was made. A list of kernels in
order of execution does not say who made which tensor; it is guessed by shape: an operand is taken for the tensor of its
type that was made last, a second operand of the same type for the one before. An operand that no kernel made is an
input of the network, and counts as cold. Constants and code are touched once a run: whether they are still in a cache
depends on how long a run takes, more than on how much it touches, since others use the caches meanwhile. The same small
convolution takes a third longer in a run of 30 ms than in one of 1 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.costs import VIEWS
from graphs.kernels import Kernel

#: Binary logarithms of bytes touched since the largest input was, and since the one longest ago was, and twice that of
#: the microseconds of a run.
COLUMNS = ("log_since_largest", "log_since_oldest", "log_run_time")

#: Logarithms are rounded to whole numbers between these (64 KiB and 256 MiB): finer steps would mean nothing, and
#: estimates are remembered by kernel and surroundings.
LOWEST, HIGHEST = 16, 28

Context = tuple[int, int, int]

#: The same for runs: 64 µs and 32 ms. After that long everything has left the caches: products of equal size are as
#: fast in runs of 100 ms as in those of 20 ms, while a trend that went on would take off a tenth.
SHORTEST, LONGEST = 12, 30

#: Where nothing is known: everything hot.
HOT: Context = (LOWEST, LOWEST, SHORTEST)

#: When inputs of the network were touched, on a clock that counts bytes and is 0 where the run begins.
_LONG_AGO = -(1 << HIGHEST)

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


def contexts_of(kernels: Sequence[Kernel], run_us: float) -> list[Context]:
    """`COLUMNS` of every kernel of a run of ``run_us`` microseconds; the kernels are in order of execution."""
    touched = [_touched(kernel) for kernel in kernels]
    length = int(run_steps(run_us))
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
            touched_at = made[-nth] if len(made) >= nth else _LONG_AGO
            since = clock - touched_at
            since_oldest = max(since_oldest, since)
            if elements > largest:
                largest, since_largest = elements, since
        contexts.append((rounded(since_largest), rounded(since_oldest), length))
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


def run_steps(run_us: float | NDArray[np.floating]) -> NDArray[np.intp]:
    """Lengths of runs as contexts have them: half powers of two of microseconds."""
    return np.clip(np.rint(2.0 * np.log2(np.maximum(run_us, 1.0))), SHORTEST, LONGEST).astype(np.intp)


def rounded(size: int) -> int:
    """Binary logarithm of a number of bytes as contexts have it."""
    log = size.bit_length()
    return LOWEST if log < LOWEST else HIGHEST if log > HIGHEST else log
