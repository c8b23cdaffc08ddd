"""A table version and its predictor → a reference that can be shipped."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archgauge.errors import CommandError
from lookup_tables import Table, read_table
from lookup_tables.references import (
    KERNELS_FILE,
    MANIFEST_FILE,
    PREDICTOR_FILE,
    PREFIX,
    SCHEMA_VERSION,
    Reference,
    read_reference,
)
from lookup_tables.summaries import summarise, write_summaries
from predictors import Predictor
from predictors.evaluation import evaluate_wholes
from predictors.observations import networks_of
from predictors.packing import pack
from service.db import PredictorRecord, TableRecord
from service.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,60}")

#: Parts of a predictor's report that a reference's manifest repeats.
_REPORTED = (
    "accuracy", "coverage", "energy", "kernels", "noise_floor", "noise_floor_apart_s", "noise_floor_models",
    "out_of_distribution",
)  # fmt: skip

#: A packed predictor that differs by more than this from its source is none.
_TOLERANCE = 0.0005


@dataclass(frozen=True)
class Published:
    """A reference that was written."""

    reference: Reference
    #: The predictor version that it was made of, and the largest relative difference to it on whole networks.
    source: str
    differs: float
    kernels: int
    #: Bytes of all files.
    size: int

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.reference.name, "target": self.reference.target.id, "version": self.reference.version,
            "predictor": self.reference.predictor_version, "source": self.source, "largest_difference": self.differs,
            "kernels": self.kernels, "bytes": self.size,
        }  # fmt: skip


def publish(store: Store, record: TableRecord, root: Path, name: str, predictor: str | None = None) -> Published:
    """Write ``root/name``, in place of what is there under that name.

    Raises:
        CommandError: the name cannot be used, the target is emulated, no predictor was trained on the table, or packing
            changed what it says.
    """
    if not _NAME.fullmatch(name):
        raise CommandError(f"{name!r} cannot name a reference; use small letters, digits, dots and hyphens")
    table = read_table(store.table_version(record))
    if table.target.emulated:
        raise CommandError(f"{table.target.id} was measured under an emulator; its times are nobody's")
    source = _trained_on(store, record, predictor)
    trained = Predictor.load(store.predictor_folder(source))
    measured = [m.started_at for m in table.measurements if m.started_at > 0]
    day = datetime.fromtimestamp(max(measured), UTC).date()
    note = (
        f"a reference: measured on {day} on another machine ({table.target.device.cpu_model}), not on this one; "
        "`archgauge profile` measures this one"
    )
    summaries = summarise(table.measurements)
    files = {KERNELS_FILE: write_summaries(summaries)}
    version = PREFIX + hashlib.sha256(table.target.fingerprint.encode() + files[KERNELS_FILE]).hexdigest()[:8]
    packed, files[PREDICTOR_FILE] = pack(trained, {"name": name, "note": note}, (version,))
    manifest = {
        "schema": SCHEMA_VERSION, "name": name, "version": version, "predictor": packed,
        "target": table.target.to_json(), "measured": {"from": min(measured), "to": max(measured)},
        "protocols": list(table.manifest.protocols),
        "source": {"table": record.version, "predictor": source.version},
        "counts": {**table.manifest.counts, "measurements": table.manifest.rows, "summaries": len(summaries)},
        "units": {"latency_us": "microseconds, median", "spread": "robust standard deviation over the median"},
        "files": {n: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for n, data in files.items()},
        "report": {
            **{part: trained.report[part] for part in _REPORTED if part in trained.report},
            **{part: table.manifest.report.get(part) for part in ("peaks", "sentinel_us", "budget_s")},
        },
    }  # fmt: skip
    folder = _write(root / name, files, manifest)
    differs = _difference(table, trained, Predictor.load(folder / PREDICTOR_FILE))
    if differs > _TOLERANCE:
        raise CommandError(f"the packed predictor differs by {differs:.2%} from {source.version}; it is in {folder}")
    size = sum(file.stat().st_size for file in folder.iterdir())
    return Published(read_reference(folder), source.version, differs, len(summaries), size)


def _trained_on(store: Store, table: TableRecord, version: str | None) -> PredictorRecord:
    """The predictor asked for, or the one that answers if it was trained on the table, or the newest that was."""
    if version is not None:
        return store.predictor(version, table.target_id)
    found = [record for record in store.predictors(table.target_id) if table.version in record.tables]
    if not found:
        raise CommandError(f"no predictor was trained on {table.version}; make one with: archgauge train")
    promoted = {p.predictor.version for p in store.promotions()}
    return next((record for record in found if record.version in promoted), found[0])


def _write(folder: Path, files: dict[str, bytes], manifest: dict[str, Any]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return folder


def _difference(table: Table, before: Predictor, after: Predictor) -> float:
    """The largest relative difference of what both say of the table's whole networks."""
    networks = [n for n in networks_of(table.measurements) if n.wholes]
    old = {r.context: r.predicted_us for r in evaluate_wholes(before, networks)}
    new: Sequence[tuple[str, float]] = [(r.context, r.predicted_us) for r in evaluate_wholes(after, networks)]
    return max((abs(us / old[context] - 1.0) for context, us in new), default=0.0)
