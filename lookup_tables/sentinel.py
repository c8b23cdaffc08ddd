"""How the speed of a machine drifted while a table was measured, as its sentinel kernel saw it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from lookup_tables.manifest import DATA_FILE
from lookup_tables.tables import TableVersion


class SentinelReading(NamedTuple):
    """Mean over measurements that began at about the same time."""

    #: Unix time in seconds.
    started_at: float
    #: The sentinel's time in microseconds.
    time_us: float


def sentinel_history(version: TableVersion, points: int = 400) -> list[SentinelReading]:
    """At most ``points`` readings in the order of time, the same number of moments in each; empty where none is known.

    Only the columns that are needed are read, and their checksum is not verified: this is for looking at.
    """
    rows = pq.read_table(version.path / DATA_FILE, columns=["started_at", "sentinel_us"])
    started = rows.column("started_at").to_numpy()
    time_us = rows.column("sentinel_us").to_numpy(zero_copy_only=False).astype(np.float64)
    known = np.isfinite(time_us) & (started > 0)
    if not known.any():
        return []
    pairs = np.stack([started[known], time_us[known]], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]  # np.unique takes a second for a large table
    first = np.ones(len(pairs), dtype=bool)
    first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    pairs = pairs[first]  # kernels of one run share a moment
    parts = np.array_split(pairs, min(points, len(pairs)))
    return [SentinelReading(*map(float, part.mean(axis=0))) for part in parts]
