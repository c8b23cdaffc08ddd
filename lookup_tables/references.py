"""References: tables that were measured elsewhere and come with the package, each with the predictor trained on it.

A reference is a folder of three files::

    manifest.json      target, when and with what it was measured, counts, a short report, SHA-256 of the others
    kernels.parquet    by kernel and mode: median latency, number of measurements, spread
    predictor.zip      what was trained on the full table (see `predictors.packing`)

They lie in ``lookup_tables/reference/<name>/``, or below the folders that `REFERENCES_VARIABLE` names. A reference is
no table version: it is only read, and nothing that is measured or trained ever begins with one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookup_tables.errors import CorruptTable, InvalidRecord, NewerSchema
from lookup_tables.targets import Target

#: Folders to look into instead of the package's own, separated like those in PATH; ``none`` for nowhere.
REFERENCES_VARIABLE = "ARCHGAUGE_REFERENCES"

#: Layout of the manifest and the columns.
SCHEMA_VERSION = 1

MANIFEST_FILE = "manifest.json"
KERNELS_FILE = "kernels.parquet"
PREDICTOR_FILE = "predictor.zip"

#: What versions of references begin with.
PREFIX = "reference-"


@dataclass(frozen=True)
class Reference:
    """A reference whose manifest was read; its other files are unchecked."""

    name: str
    #: Of the table and of the predictor: ``reference-`` and eight hex digits.
    version: str
    predictor_version: str
    target: Target
    #: Unix time of the first and the last measurement.
    measured_from: float
    measured_to: float
    manifest: Mapping[str, Any]
    folder: Path

    @property
    def report(self) -> Mapping[str, Any]:
        """What training found, without the lists of single networks."""
        return dict(self.manifest.get("report", {}))

    def file(self, name: str) -> Path:
        """One of its files, after checking it; raises CorruptTable where it is not what the manifest describes."""
        path = self.folder / name
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise CorruptTable(
                f"{path} cannot be read: {error.strerror or error}; install the package again"
            ) from error
        if digest != self.manifest["files"][name]["sha256"]:
            raise CorruptTable(f"{path} is not what its manifest describes; install the package again")
        return path


def list_references(roots: Sequence[Path] | None = None) -> list[Reference]:
    """The references below ``roots``, by name; of several with the same name or target the last one measured.

    Raises:
        CorruptTable: a manifest that is none.
        NewerSchema: written by a later version of ArchGauge.
    """
    found: dict[str, Reference] = {}
    for root in reference_roots() if roots is None else roots:
        for file in root.glob(f"*/{MANIFEST_FILE}"):
            reference = read_reference(file.parent)
            for other in [o for o in found.values() if o.name == reference.name or o.target.id == reference.target.id]:
                if other.measured_to > reference.measured_to:
                    break
                del found[other.name]
            else:
                found[reference.name] = reference
    return sorted(found.values(), key=lambda r: r.name)


def reference_roots() -> list[Path]:
    """Where references are looked for."""
    chosen = os.environ.get(REFERENCES_VARIABLE)
    if chosen is None:
        return [Path(__file__).parent / "reference"]
    return [Path(part) for part in chosen.split(os.pathsep) if part and chosen != "none"]


def read_reference(folder: Path) -> Reference:
    """A reference by its folder; errors as in `list_references`."""
    file = folder / MANIFEST_FILE
    try:
        data = json.loads(file.read_bytes())
        schema = int(data["schema"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptTable(f"{file} is not the manifest of a reference: {error!r}") from error
    if schema > SCHEMA_VERSION:
        raise NewerSchema(f"{file} has schema {schema}; this version of ArchGauge reads up to {SCHEMA_VERSION}")
    try:
        return Reference(
            str(data["name"]), str(data["version"]), str(data["predictor"]), Target.from_json(data["target"]),
            float(data["measured"]["from"]), float(data["measured"]["to"]), data, folder,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, InvalidRecord) as error:
        raise CorruptTable(f"{file} is not the manifest of a reference: {error!r}") from error
