"""Lookup tables on disk: immutable versions per target.

Layout: ``<root>/tables/<target id>/<version>/{manifest.json,measurements.parquet}``. A version is written to a
temporary folder beside its place, synced and renamed into it, so that it is there completely or not at all. Extending
a table makes a new version with the parent's measurements and the new ones; nothing is ever changed in place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lookup_tables._columns import from_arrow, to_arrow
from lookup_tables.errors import CorruptTable, TableNotFound, WrongTarget
from lookup_tables.manifest import DATA_FILE, MANIFEST_FILE, Manifest, count, version_number
from lookup_tables.records import Measurement
from lookup_tables.targets import Target


@dataclass(frozen=True, slots=True)
class TableVersion:
    """Names a version and says where it lies."""

    target_id: str
    version: str
    path: Path

    @property
    def id(self) -> str:
        """``<target id>/<version>``, unique everywhere."""
        return f"{self.target_id}/{self.version}"


class Table:
    """A version that was read and found intact."""

    def __init__(self, where: TableVersion, manifest: Manifest, rows: pa.Table) -> None:
        self.where = where
        self.manifest = manifest
        self._rows = rows

    @property
    def target(self) -> Target:
        return self.manifest.target

    @cached_property
    def measurements(self) -> list[Measurement]:
        """All measurements in the order of writing (made on first use)."""
        return from_arrow(self._rows)

    def column(self, name: str) -> NDArray[Any]:
        """A column as an array without making records; nulls are NaN in numbers and None in texts.

        Raises:
            KeyError: there is no such column; the message lists those that are.
        """
        if name not in self._rows.column_names:
            raise KeyError(f"no column {name!r}; there are {', '.join(self._rows.column_names)}")
        column = self._rows.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        return np.asarray(column.to_numpy(zero_copy_only=False))

    def only(self, kept: NDArray[np.bool_]) -> Table:
        """The same version with the measurements that ``kept [rows]`` says; the manifest still describes them all."""
        return Table(self.where, self.manifest, self._rows.filter(pa.array(kept)))

    def __len__(self) -> int:
        return int(self._rows.num_rows)


def write_table(
    root: Path,
    target: Target,
    measurements: Iterable[Measurement],
    parent: TableVersion | None = None,
    report: Mapping[str, Any] | None = None,
) -> TableVersion:
    """Write the next version of a target's table: the parent's measurements followed by the new ones.

    Raises:
        WrongTarget: ``parent`` belongs to another target.
        CorruptTable: ``parent`` is damaged.
    """
    rows = list(measurements)
    number = 1 + max((version_number(v.version) or 0 for v in list_tables(root, target.id)), default=0)
    if parent is not None:
        old = read_table(parent.path)
        if old.target.id != target.id:
            raise WrongTarget(f"a table of {old.target.id} cannot be extended with measurements of {target.id}")
        rows = old.measurements + rows
    home = root / "tables" / target.id
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    try:
        pq.write_table(to_arrow(rows), folder / DATA_FILE, compression="zstd")
        digest = sha256(folder / DATA_FILE)
        manifest = Manifest(
            version=_version_name(number, target, digest),
            target=target,
            created_at=time.time(),
            protocols=tuple(sorted({m.protocol for m in rows})),
            rows=len(rows),
            counts=count(rows),
            files={DATA_FILE: {"sha256": digest, "bytes": (folder / DATA_FILE).stat().st_size}},
            parent=parent.version if parent is not None else None,
            report=report or {},
        )
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest.to_json(), indent=2, sort_keys=True) + "\n")
        return publish(folder, home / manifest.version)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_table(path: Path | TableVersion) -> Table:
    """Read a version, given its folder, and check it against its manifest.

    Raises:
        TableNotFound: there is no table in the folder.
        CorruptTable: checksum, size, rows or names disagree.
        NewerSchema: written by a later version of ArchGauge.
    """
    folder = path.path if isinstance(path, TableVersion) else Path(path)
    manifest = read_manifest(folder)
    data = folder / DATA_FILE
    facts = manifest.files[DATA_FILE]
    if not data.is_file():
        raise CorruptTable(f"{data} is missing")
    if data.stat().st_size != facts.get("bytes") or sha256(data) != facts.get("sha256"):
        raise CorruptTable(f"{data} is not what its manifest describes; restore it from an export or measure again")
    try:
        rows = pq.read_table(data)
    except (pa.ArrowException, OSError) as error:
        raise CorruptTable(f"{data} cannot be read: {error}") from error
    if rows.num_rows != manifest.rows:
        raise CorruptTable(f"{data} has {rows.num_rows} rows where its manifest says {manifest.rows}")
    return Table(TableVersion(manifest.target.id, manifest.version, folder), manifest, rows)


def read_manifest(folder: Path) -> Manifest:
    """Only the manifest of a version, its data unchecked; errors as in `read_table`."""
    file = folder / MANIFEST_FILE
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TableNotFound(f"there is no lookup table in {folder}") from error
    manifest = Manifest.parse(text, str(file))
    expected = _version_name(version_number(manifest.version) or 0, manifest.target, _digest(manifest))
    if manifest.version != expected:
        raise CorruptTable(f"{file} calls the version {manifest.version}, but its contents make it {expected}")
    return manifest


def list_tables(root: Path, target_id: str | None = None) -> list[TableVersion]:
    """All versions under ``root``, or those of one target; oldest first. Unfinished ones are not listed."""
    tables = root / "tables"
    targets: Sequence[Path] = [tables / target_id] if target_id is not None else sorted(tables.glob("*"))
    found = []
    for home in targets:
        for folder in sorted(home.glob("v*")):
            if version_number(folder.name) is not None and (folder / MANIFEST_FILE).is_file():
                found.append(TableVersion(home.name, folder.name, folder))
    return sorted(found, key=lambda v: (v.target_id, version_number(v.version), v.version))


def publish(folder: Path, place: Path) -> TableVersion:
    """Sync a finished temporary folder and rename it into its place; what is there already is kept."""
    for file in folder.iterdir():
        _sync(file)
    _sync(folder)
    folder.chmod(0o755)
    try:
        folder.rename(place)
    except OSError:
        if not (place / MANIFEST_FILE).is_file():
            raise
        shutil.rmtree(folder, ignore_errors=True)  # the version's name is its contents' hash: it is the same one
    _sync(place.parent)
    return TableVersion(place.parent.name, place.name, place)


def sha256(file: Path) -> str:
    """Hex digest of a file's contents."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(manifest: Manifest) -> str:
    return str(manifest.files[DATA_FILE].get("sha256", ""))


def _version_name(number: int, target: Target, digest: str) -> str:
    return f"v{number:04d}-{hashlib.sha256((target.fingerprint + digest).encode()).hexdigest()[:8]}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
