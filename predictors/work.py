"""The work of kernels as an array: what the baseline and the features start from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from graphs.costs import bytes_read, bytes_written, flops
from graphs.kernels import Kernel

#: Columns of `work_of`.
FLOPS, READ, CONSTANTS, WRITTEN = range(4)


def work_of(kernels: Sequence[Kernel]) -> NDArray[np.float64]:
    """``[n, 4]``: FLOPs (a multiply-add is 2), bytes of activations read, bytes of constants read, bytes written."""
    return np.array([_row(kernel) for kernel in kernels], dtype=np.float64).reshape(-1, 4)


@lru_cache(maxsize=20_000)
def _row(kernel: Kernel) -> tuple[float, float, float, float]:
    """Remembered, since the same kernel is asked for in many surroundings."""
    read = bytes_read(kernel)
    constants = min(sum(o.nbytes for o in kernel.inputs if o is not None and o.constant), read)
    return float(flops(kernel)), float(read - constants), float(constants), float(bytes_written(kernel))


def traffic(work: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bytes moved, ``[n]``."""
    return np.asarray(work[:, READ] + work[:, CONSTANTS] + work[:, WRITTEN], dtype=np.float64)
