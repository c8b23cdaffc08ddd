"""Predictors on disk: boosters as universal binary JSON, arrays as npz without pickles, and a manifest.

Layout of a version's folder::

    manifest.json     schema, feature schema, target, all small terms, report, SHA-256 and size of every other file
    arrays.npz        the table's entries and what the regressors know of their training region
    <regressor>.ubj   one per regressor

or a ZIP file of the same files (see `predictors.packing`). Nothing in it is executed or unpickled when it is loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lookup_tables.errors import InvalidRecord
from lookup_tables.targets import Target
from predictors._boosting import Forest
from predictors._smoothing import Smooth
from predictors.baseline import Baseline
from predictors.composition import Composition
from predictors.energy import FittedPower
from predictors.errors import CorruptPredictor, IncompatiblePredictor
from predictors.estimates import Estimator
from predictors.features import GROUPS
from predictors.features import SCHEMA_VERSION as FEATURE_SCHEMA
from predictors.intervals import Intervals
from predictors.ood import Familiarity
from predictors.regressors import Regressor, by_kind
from predictors.roofline import Roofline
from predictors.rough import RoughTime
from predictors.table_source import TableSource

if TYPE_CHECKING:
    from predictors.predictor import Predictor

#: Layout of the folder and the manifest.
SCHEMA_VERSION = 1

MANIFEST_FILE = "manifest.json"
ARRAYS_FILE = "arrays.npz"

P = TypeVar("P", bound="Predictor")
Arrays = dict[str, NDArray[Any]]

#: What reading a file raises, the members of archives included.
_UNREADABLE = (OSError, KeyError, EOFError, lzma.LZMAError, zipfile.BadZipFile)

_VERSION_NAME = re.compile(r"v\d{4,}-[0-9a-f]{8}")


def save(predictor: Predictor, folder: Path) -> None:
    """Write ``predictor`` into ``folder``; FileExistsError where there is one already."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST_FILE).exists():
        raise FileExistsError(f"{folder} already holds a predictor; versions are never overwritten")
    regressors = list({r.name: r for r in predictor.estimator.regressors.values()}.values())
    arrays: Arrays = {f"table/{name}": values for name, values in predictor.estimator.table.to_arrays().items()}
    contents: dict[str, bytes] = {}
    described = []
    for regressor in regressors:
        file = f"{_file_stem(regressor.name)}.ubj"
        contents[file] = regressor.forest.to_bytes()
        arrays |= {f"{regressor.name}/{name}": values for name, values in regressor.familiarity.to_arrays().items()}
        arrays |= {f"{regressor.name}/{name}": values for name, values in regressor.smooth.to_arrays().items()}
        described.append({
            "name": regressor.name, "group": regressor.group.name, "kinds": list(regressor.kinds), "file": file,
            "members": regressor.forest.members, "centres": dict(regressor.centres), "sigma": regressor.sigma,
            "blend": regressor.blend,
        })  # fmt: skip
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    contents[ARRAYS_FILE] = stream.getvalue()
    manifest = {
        "schema": SCHEMA_VERSION, "feature_schema": FEATURE_SCHEMA, "target": predictor.target.to_json(),
        "tables": list(predictor.tables), "protocol": predictor.protocol,
        "baseline": predictor.estimator.baseline.to_json(), "roofline": predictor.estimator.roofline.to_json(),
        "rough": predictor.estimator.rough.to_json(),
        "composition": predictor.composition.to_json(), "intervals": predictor.intervals.to_json(),
        "power": None if predictor.fitted_power is None else predictor.fitted_power.to_json(),
        "regressors": described, "report": dict(predictor.report),
        "files": {name: facts_of(data) for name, data in contents.items()},
    }  # fmt: skip
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def load(folder: Path, cls: type[P]) -> P:
    """Read a predictor of class ``cls`` from a folder or a packed file; errors as `Predictor.load` says."""
    place = _open(folder)
    manifest, digest = _read_manifest(place)
    contents = {name: _read(place / name, facts) for name, facts in manifest["files"].items()}
    named = manifest.get("version") or (folder.name if _VERSION_NAME.fullmatch(folder.name) else None)
    try:
        arrays = _unpack(contents[ARRAYS_FILE])
        regressors = [_regressor(described, contents, arrays) for described in manifest["regressors"]]
        baseline = Baseline.from_json(manifest["baseline"])
        estimator = Estimator(
            baseline,
            by_kind(regressors),
            TableSource.from_arrays(_part(arrays, "table")),
            Roofline.from_json(manifest["roofline"]),
            RoughTime.from_json(baseline, manifest["rough"]),
        )
        return cls(
            target=Target.from_json(manifest["target"]),
            estimator=estimator,
            composition=Composition.from_json(manifest["composition"]),
            intervals=Intervals.from_json(manifest["intervals"]),
            tables=tuple(map(str, manifest["tables"])),
            protocol=int(manifest["protocol"]),
            report=dict(manifest["report"]),
            fitted_power=FittedPower.from_json(manifest["power"]) if manifest.get("power") else None,
            version=str(named or f"unsaved-{digest[:8]}"),
        )
    except (LookupError, TypeError, ValueError, InvalidRecord) as error:
        raise CorruptPredictor(f"the predictor in {folder} contradicts itself: {error}; train it again") from error


def _regressor(described: Mapping[str, Any], contents: Mapping[str, bytes], arrays: Arrays) -> Regressor:
    name = str(described["name"])
    kinds = tuple(map(str, described["kinds"]))
    group = GROUPS[described["group"]]
    familiarity = Familiarity.from_arrays(_part(arrays, name))
    smooth = Smooth.from_arrays(_part(arrays, name))
    forest = Forest.from_bytes(contents[described["file"]], int(described["members"]))
    centres = {str(kind): float(centre) for kind, centre in described["centres"].items()}
    regressor = Regressor(
        name, group, kinds, forest, smooth, float(described["blend"]), centres, float(described["sigma"]), familiarity
    )
    if not regressor.columns == forest.columns == len(smooth.mean):
        raise ValueError(
            f"the regressor {name} has {forest.columns} columns where its features have {regressor.columns}"
        )
    return regressor


def _open(folder: Path) -> Path | zipfile.Path:
    """Something with files below it."""
    if not folder.is_file():
        return folder
    try:
        return zipfile.Path(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise CorruptPredictor(f"{folder} is no packed predictor: {error}") from error


def _read_manifest(folder: Path | zipfile.Path) -> tuple[dict[str, Any], str]:
    file = folder / MANIFEST_FILE
    try:
        text = file.read_bytes()
    except _UNREADABLE as error:
        raise CorruptPredictor(f"there is no predictor in {folder}: {getattr(error, 'strerror', error)}") from error
    try:
        manifest = dict(json.loads(text))
        versions = int(manifest["schema"]), int(manifest["feature_schema"])
        files = {str(name): dict(facts) for name, facts in manifest["files"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptPredictor(f"{file} is not the manifest of a predictor: {error!r}") from error
    if versions != (SCHEMA_VERSION, FEATURE_SCHEMA):
        raise IncompatiblePredictor(
            f"the predictor in {folder} has schema {versions[0]} and feature schema {versions[1]}, where this version "
            f"of ArchGauge has {SCHEMA_VERSION} and {FEATURE_SCHEMA}; train it again from its lookup tables"
        )
    if ARRAYS_FILE not in files or any(name != Path(name).name or name == MANIFEST_FILE for name in files):
        raise CorruptPredictor(f"{file} does not list the files of a predictor")
    return manifest, hashlib.sha256(text).hexdigest()


def _read(file: Path | zipfile.Path, facts: Mapping[str, Any]) -> bytes:
    try:
        data = file.read_bytes()
    except _UNREADABLE as error:
        raise CorruptPredictor(f"{file} is missing: {getattr(error, 'strerror', error)}") from error
    if facts_of(data) != facts:
        raise CorruptPredictor(f"{file} is not what its manifest describes; train or import the predictor again")
    return data


def facts_of(data: bytes) -> dict[str, Any]:
    """Checksum and size, as manifests list them."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _unpack(data: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{ARRAYS_FILE} cannot be read: {error}") from error


def _part(arrays: Arrays, name: str) -> Arrays:
    """The arrays under ``name/``."""
    return {key[len(name) + 1 :]: values for key, values in arrays.items() if key.rpartition("/")[0] == name}


def _file_stem(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)
