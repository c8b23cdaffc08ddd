"""The work of kernels as an array: what the baseline and the features start from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphs.costs import bytes_read, bytes_written, flops
from graphs.kernels import Kernel

#: Columns of `work_of`.
FLOPS, READ, CONSTANTS, WRITTEN = range(4)


def work_of(kernels: Sequence[Kernel]) -> NDArray[np.float64]:
    """``[n, 4]``: FLOPs (a multiply-add is 2), bytes of activations read, bytes of constants read, bytes written."""
    rows = np.empty((len(kernels), 4))
    for i, kernel in enumerate(kernels):
        read = bytes_read(kernel)
        constants = min(sum(o.nbytes for o in kernel.inputs if o is not None and o.constant), read)
        rows[i] = flops(kernel), read - constants, constants, bytes_written(kernel)
    return rows


def traffic(work: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bytes moved, ``[n]``."""
    return np.asarray(work[:, READ] + work[:, CONSTANTS] + work[:, WRITTEN], dtype=np.float64)
