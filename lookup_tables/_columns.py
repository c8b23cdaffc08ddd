"""Measurements as Parquet columns. Times are microseconds of wall clock (see `records` and `manifest.UNITS`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from graphs.kernels import Kernel, from_json, to_json
from lookup_tables.manifest import SCHEMA_VERSION, UNITS
from lookup_tables.records import Measurement

_TEXT = pa.dictionary(pa.int32(), pa.string())

#: ``kernel`` is the JSON of `graphs.kernels.to_json`, ``kernel_key`` its hash; the rest are fields of `Measurement`.
_TYPES: dict[str, pa.DataType] = {
    "mode": _TEXT, "kernel_kind": _TEXT, "kernel_key": _TEXT, "kernel": _TEXT, "model": _TEXT,
    "latency_us": pa.float64(), "p10_us": pa.float64(), "p90_us": pa.float64(), "mad_us": pa.float64(),
    "runs": pa.int32(), "blocks_us": pa.list_(pa.float64()), "context": _TEXT, "position": pa.int32(),
    "session": _TEXT, "protocol": pa.int16(), "settled": pa.bool_(), "drift": pa.float64(),
    "sentinel_us": pa.float64(), "error": _TEXT, "detail": _TEXT, "perturbation": _TEXT, "started_at": pa.float64(),
    "energy_mj": pa.float64(), "energy_gross_mj": pa.float64(), "energy_half_width_mj": pa.float64(),
    "energy_run_us": pa.float64(),
    "energy_method": _TEXT, "energy_scope": _TEXT, "peak_memory_bytes": pa.int64(), "split": _TEXT,
    "kernels": pa.int32(), "repetition": pa.int16(),
}  # fmt: skip

SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"unit": UNITS[name]} if name in UNITS else None) for name, kind in _TYPES.items()],
    metadata={"archgauge.schema": str(SCHEMA_VERSION)},
)

_PLAIN = [name for name in _TYPES if name not in ("kernel_kind", "kernel_key", "kernel", "blocks_us")]


def to_arrow(measurements: Sequence[Measurement]) -> pa.Table:
    """Rows in the given order."""
    columns: dict[str, list[Any]] = {name: [getattr(m, name) for m in measurements] for name in _PLAIN}
    columns["blocks_us"] = [list(m.blocks_us) for m in measurements]
    kernels = [m.kernel for m in measurements]
    columns["kernel_kind"] = [k and k.kind for k in kernels]
    columns["kernel_key"] = [k and k.key for k in kernels]
    columns["kernel"] = [k and json.dumps(to_json(k), separators=(",", ":"), sort_keys=True) for k in kernels]
    return pa.table([pa.array(columns[name], kind) for name, kind in _TYPES.items()], schema=SCHEMA)


def from_arrow(table: pa.Table) -> list[Measurement]:
    """The inverse of `to_arrow`; equal kernels are one object. Columns that older tables lack are None."""
    columns: dict[str, list[Any]] = {
        name: _values(table.column(name)) if name in table.column_names else [None] * table.num_rows
        for name in (*_PLAIN, "kernel", "blocks_us")
    }
    known: dict[str, Kernel] = {}
    rows = []
    for i in range(table.num_rows):
        values = {name: columns[name][i] for name in _PLAIN}
        text = columns["kernel"][i]
        if text is not None and text not in known:
            known[text] = from_json(json.loads(text))
        kernel = None if text is None else known[text]
        rows.append(Measurement(**values, kernel=kernel, blocks_us=tuple(columns["blocks_us"][i])))
    return rows


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Python values; those of repeated texts are made once, which is ten times as fast as what pyarrow does."""
    values: list[Any] = []
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            words = chunk.dictionary.to_pylist()
            values += [None if index is None else words[index] for index in chunk.indices.to_pylist()]
        else:
            values += chunk.to_pylist()
    return values
