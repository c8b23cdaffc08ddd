"""Tables in short: one row per kernel and mode. What references hold of the table that they were made of."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from graphs.kernels import Kernel, from_json, to_json
from lookup_tables.errors import CorruptTable
from lookup_tables.records import Measurement, Mode

_SCHEMA = pa.schema([
    pa.field("mode", pa.string()), pa.field("kernel_kind", pa.string()), pa.field("kernel", pa.string()),
    pa.field("latency_us", pa.float32(), metadata={"unit": "microseconds"}),
    pa.field("measurements", pa.int32()),
    pa.field("spread", pa.float32(), metadata={"unit": "ratio"}),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class KernelSummary:
    """All good measurements of a kernel in one mode."""

    kernel: Kernel
    mode: Mode
    #: Median, microseconds.
    latency_us: float
    measurements: int
    #: Robust standard deviation over the median (1.4826 times the median absolute deviation); None for one measurement.
    spread: float | None


def summarise(measurements: Iterable[Measurement]) -> list[KernelSummary]:
    """By mode, kind and kernel; failures and whole models are left out."""
    times: dict[tuple[Mode, Kernel], list[float]] = {}
    for m in measurements:
        if m.kernel is not None and m.ok and m.latency_us is not None:
            times.setdefault((m.mode, m.kernel), []).append(m.latency_us)
    found = []
    for (mode, kernel), values in times.items():
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(np.array(values) - middle))) / middle if len(values) > 1 else None
        found.append(KernelSummary(kernel, mode, middle, len(values), spread))
    return sorted(found, key=lambda s: (s.mode, s.kernel.kind, _text(s.kernel)))


def write_summaries(summaries: Sequence[KernelSummary]) -> bytes:
    """A Parquet file. Kernels resemble their neighbours, so their texts are kept as differences."""
    kernels = [s.kernel for s in summaries]
    columns = {
        "mode": [s.mode for s in summaries], "kernel_kind": [k.kind for k in kernels],
        "kernel": [_text(k) for k in kernels], "latency_us": [s.latency_us for s in summaries],
        "measurements": [s.measurements for s in summaries], "spread": [s.spread for s in summaries],
    }  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(
        pa.table(columns, schema=_SCHEMA),
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=["mode", "kernel_kind", "measurements"],
        column_encoding={
            "kernel": "DELTA_BYTE_ARRAY",
            "latency_us": "BYTE_STREAM_SPLIT",
            "spread": "BYTE_STREAM_SPLIT",
        },
    )
    return sink.getvalue()


def read_summaries(file: Path) -> list[KernelSummary]:
    """The inverse of `write_summaries`; raises CorruptTable."""
    try:
        rows = pq.read_table(file, schema=_SCHEMA).to_pylist()
        return [
            KernelSummary(
                from_json(json.loads(row["kernel"])), cast(Mode, row["mode"]), row["latency_us"], row["measurements"],
                row["spread"],
            )
            for row in rows
        ]  # fmt: skip
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptTable(f"{file} is not a table in short: {error}") from error


def _text(kernel: Kernel) -> str:
    return json.dumps(to_json(kernel), separators=(",", ":"), sort_keys=True)
