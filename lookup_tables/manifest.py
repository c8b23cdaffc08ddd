"""Manifests: what a table version is, said in JSON beside its Parquet file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lookup_tables.errors import CorruptTable, InvalidRecord, NewerSchema
from lookup_tables.records import Measurement
from lookup_tables.targets import Target

#: Layout of the manifest and the columns. Raised when a reader of the old layout would misunderstand the new one.
SCHEMA_VERSION = 1

MANIFEST_FILE = "manifest.json"
DATA_FILE = "measurements.parquet"

#: What the numbers mean, repeated in every manifest so that a table explains itself.
UNITS: dict[str, str] = {
    "latency_us": "microseconds", "p10_us": "microseconds", "p90_us": "microseconds", "mad_us": "microseconds",
    "blocks_us": "microseconds", "drift": "ratio", "sentinel_us": "microseconds",
    "started_at": "seconds since 1970-01-01 UTC", "energy_mj": "millijoules", "energy_gross_mj": "millijoules",
    "energy_half_width_mj": "millijoules", "energy_run_us": "microseconds", "peak_memory_bytes": "bytes",
}  # fmt: skip

_VERSION = re.compile(r"v(\d{4,})-[0-9a-f]{8}")


@dataclass(frozen=True)
class Manifest:
    """Describes one immutable table version; ``files`` maps a file to its size and SHA-256."""

    version: str
    target: Target
    created_at: float
    #: Protocol versions of the measurements within.
    protocols: tuple[int, ...]
    rows: int
    #: Numbers of measurements by mode, split and error, and of distinct kernels and networks.
    counts: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    #: The version whose measurements this one contains besides new ones.
    parent: str | None = None
    #: Free-form results of the run, such as the noise floor.
    report: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema, "version": self.version, "target": self.target.to_json(),
            "emulated": self.target.emulated, "created_at": self.created_at, "protocols": list(self.protocols),
            "rows": self.rows, "counts": dict(self.counts), "units": UNITS,
            "files": {name: dict(facts) for name, facts in self.files.items()}, "parent": self.parent,
            "report": dict(self.report),
        }  # fmt: skip

    @classmethod
    def parse(cls, text: bytes, where: str) -> Manifest:
        """Read a manifest; ``where`` names it in errors.

        Raises:
            NewerSchema: written by a later version.
            CorruptTable: not a manifest, or one that contradicts itself.
        """
        try:
            data = json.loads(text)
            schema = int(data["schema"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptTable(f"{where} is not the manifest of a lookup table: {error!r}") from error
        if schema > SCHEMA_VERSION:
            raise NewerSchema(
                f"{where} has schema {schema}; this version of ArchGauge reads up to {SCHEMA_VERSION}. Upgrade it."
            )
        try:
            manifest = cls(
                version=str(data["version"]),
                target=Target.from_json(data["target"]),
                created_at=float(data["created_at"]),
                protocols=tuple(map(int, data["protocols"])),
                rows=int(data["rows"]),
                counts=dict(data["counts"]),
                files={str(k): dict(v) for k, v in data["files"].items()},
                parent=data.get("parent"),
                report=dict(data.get("report", {})),
                schema=schema,
            )
        except (AttributeError, KeyError, TypeError, ValueError, InvalidRecord) as error:
            raise CorruptTable(f"{where} is not a valid manifest: {error!r}") from error
        if version_number(manifest.version) is None or set(manifest.files) != {DATA_FILE}:
            raise CorruptTable(f"{where} names the version {manifest.version!r} and the files {sorted(manifest.files)}")
        return manifest


def version_number(version: str) -> int | None:
    """17 for ``v0017-1a2b3c4d``; None for what is no version's name."""
    match = _VERSION.fullmatch(version)
    return int(match[1]) if match else None


def count(measurements: Iterable[Measurement]) -> dict[str, Any]:
    """The ``counts`` of a manifest."""
    modes: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    keys: set[str] = set()
    contexts: set[str] = set()
    for m in measurements:
        modes[m.mode] += 1
        splits[m.split] += 1
        contexts.add(m.context)
        if m.error is not None:
            errors[m.error] += 1
        if m.kernel is not None and m.kernel.key not in keys:
            keys.add(m.kernel.key)
            kinds[m.kernel.kind] += 1
    return {
        "modes": dict(modes), "splits": dict(splits), "errors": dict(errors), "contexts": len(contexts),
        "distinct_kernels": len(keys), "distinct_kernels_by_kind": dict(kinds.most_common()),
    }  # fmt: skip
