"""Predictors as single files of a tenth of the size, to be shipped with the package.

What a forest remembers of its training (gains, covers, weights of inner nodes) is dropped, and numbers keep `_BITS`
bits of their mantissas, which moves predictions by some millionths. The rest is LZMA's business. `Predictor.load` reads
such a file like a folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors._boosting import rounded, without_training
from predictors.artifacts import ARRAYS_FILE, MANIFEST_FILE, facts_of
from predictors.predictor import Predictor

#: Bits of a number's mantissa that are kept; a residual of 0.1 is then right to 0.00003.
_BITS = 11

#: What the smooth companions learned: sums of large numbers of both signs.
_EXACT = "smooth_"

#: Parts of a report that list single networks.
_LONG = ("networks", "families")

#: Every archive of the same contents is the same: ZIP files hold times.
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(predictor: Predictor, note: Mapping[str, Any], tables: tuple[str, ...]) -> tuple[str, bytes]:
    """The version (``reference-`` and a hash of the contents) and the file.

    ``note`` says whose measurements these are; it becomes the entry ``reference`` of the report, by which a predictor
    knows what it is. ``tables`` are the versions that answers will name.
    """
    with tempfile.TemporaryDirectory(prefix="archgauge-") as folder:
        predictor.save(Path(folder))
        manifest = json.loads((Path(folder) / MANIFEST_FILE).read_text())
        contents = {name: _shortened(name, (Path(folder) / name).read_bytes()) for name in manifest["files"]}
    manifest["files"] = {name: facts_of(data) for name, data in contents.items()}
    report = {name: part for name, part in manifest["report"].items() if name not in _LONG}
    manifest |= {"tables": list(tables), "report": {**report, "reference": dict(note)}}
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    manifest["version"] = f"reference-{digest[:8]}"
    contents[MANIFEST_FILE] = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in sorted(contents.items()):
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_LZMA)
    return manifest["version"], sink.getvalue()


def _shortened(name: str, data: bytes) -> bytes:
    if name != ARRAYS_FILE:
        return without_training(data, _BITS)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        kept = {key: arrays[key] if _EXACT in key else _rounded(arrays[key]) for key in arrays.files}
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **kept)  # not compressed: the archive's method does that better
    return sink.getvalue()


def _rounded(values: NDArray[Any]) -> NDArray[Any]:
    """As 32-bit numbers whose last bits are zero; others as they are."""
    if values.dtype.kind != "f":
        return values
    return rounded(values.astype(np.float32), _BITS)
