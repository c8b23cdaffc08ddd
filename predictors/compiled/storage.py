"""Compiled spaces as files: arrays as npz without pickles, the rest as JSON among them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from graphs.search_spaces import SearchSpace, Walker
from predictors.compiled.compiling import ChainSource
from predictors.compiled.space import CompiledSpace, Errors, Source
from predictors.compiled.strides import compose
from predictors.compiled.tables import ChainTables
from predictors.compiled.whole import Direct, Enumeration, WholePricer
from predictors.errors import CorruptPredictor
from predictors.predictor import Predictor

#: Layout of the file and meaning of the columns.
SCHEMA_VERSION = 1


def save_compiled(compiled: CompiledSpace) -> bytes:
    """The contents of a file."""
    arrays: dict[str, Any] = {}
    source = compiled.source
    if isinstance(source, ChainSource):
        tables = source.tables
        arrays = {"sums": tables.sums, "live": tables.live, "steps": np.array(source.strides.steps)}
        for layer, (next_, emitted) in enumerate(zip(tables.next, tables.emitted, strict=True)):
            arrays |= {f"next/{layer}": next_, f"emitted/{layer}": emitted}
    elif isinstance(source, Enumeration):
        arrays = {"sums": source.sums, "blocks": source.blocks}
    meta = {
        "schema": SCHEMA_VERSION, "space": compiled.space.id, "predictor": compiled.predictor.version,
        "mode": compiled.mode, "packing": compiled.packing, "architectures": compiled.architectures,
        "errors": None if compiled.errors is None else asdict(compiled.errors), "report": dict(compiled.report),
    }  # fmt: skip
    stream = io.BytesIO()
    np.savez_compressed(stream, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)
    return stream.getvalue()


def load_compiled(
    file: Path,
    predictor: Predictor,
    space: SearchSpace,
    *,
    batch_size: int | None = None,
    dims: Mapping[str, int] | None = None,
) -> CompiledSpace:
    """The inverse of `save_compiled`, given what the space was compiled for.

    Raises CorruptPredictor unless the file is of this space, predictor and schema.
    """
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as archive:
            meta = json.loads(archive["meta"].tobytes())
            wanted = {"schema": SCHEMA_VERSION, "space": space.id, "predictor": predictor.version}
            if any(meta.get(key) != value for key, value in wanted.items()):
                raise ValueError("it is of another space, predictor or schema")
            arrays = {name: archive[name] for name in archive.files if name != "meta"}
        errors = None if meta["errors"] is None else Errors(**meta["errors"])
        source = _source(meta["mode"], arrays, space)
        if source is None:
            source = Direct(WholePricer(Walker(space, batch_size=batch_size, dims=dims), predictor))
        return CompiledSpace(
            space, predictor, meta["mode"], source, float(meta["packing"]), errors, int(meta["architectures"]),
            meta["report"],
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptPredictor(f"{file} is no compiled search space: {error}; delete it") from error


def _source(mode: str, arrays: dict[str, Any], space: SearchSpace) -> Source | None:
    """None where rows are priced one by one."""
    if mode == "direct":
        return None
    if mode == "enumerated":
        return Enumeration(space.choices, arrays["sums"], arrays["blocks"])
    if mode != "chain":
        raise ValueError(f"{mode!r} is no mode")
    layers = range(len(space.layers))
    tables = ChainTables(
        [arrays[f"next/{layer}"] for layer in layers], [arrays[f"emitted/{layer}"] for layer in layers],
        arrays["sums"], arrays["live"],
    )  # fmt: skip
    return ChainSource(tables, compose(tables, [int(step) for step in arrays["steps"]]))
