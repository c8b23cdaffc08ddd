"""References as the store's records: targets that can be asked for although nothing was measured for this store.

They are in no database and never promoted: what was measured here answers before a reference of the same target, and
the target that answers when none is named is never one of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from lookup_tables.errors import LookupTableError
from lookup_tables.references import PREDICTOR_FILE, PREFIX, Reference, list_references
from service.db import PredictorRecord, PromotionRecord, TableRecord, TargetRecord
from service.errors import DamagedArtifact
from service.logs import log


@dataclass(frozen=True, slots=True)
class Known:
    """A reference with the records that a store would have of it."""

    reference: Reference
    target: TargetRecord
    table: TableRecord
    predictor: PredictorRecord

    @property
    def promotion(self) -> PromotionRecord:
        return PromotionRecord(self.predictor, self.predictor.created_at, "came with the package")

    @classmethod
    def of(cls, reference: Reference) -> Self:
        target, made = reference.target, datetime.fromtimestamp(reference.measured_to, UTC)
        manifest = {**reference.manifest, "rows": reference.manifest["counts"]["measurements"], "parent": None}
        return cls(
            reference,
            TargetRecord(target.id, target.to_json(), target.emulated, made, (reference.name,)),
            TableRecord(target.id, reference.version, manifest, made),
            PredictorRecord(
                target.id, reference.predictor_version, reference.manifest["files"][PREDICTOR_FILE]["sha256"],
                reference.report, made, (reference.version,),
            ),
        )  # fmt: skip


class References:
    """All references that came with the package; reading their manifests is all that making one does."""

    def __init__(self, found: Iterable[Reference]) -> None:
        self.all: Sequence[Known] = tuple(map(Known.of, found))

    @classmethod
    def installed(cls) -> Self:
        """Those of this installation; none where one of them is damaged, which is logged and keeps nothing else up."""
        try:
            return cls(list_references())
        except LookupTableError as error:
            log.error("references cannot be used: %s", error)
            return cls(())

    def find(self, target: str) -> Known | None:
        """The reference of a target, by the target's id or the reference's name."""
        return next((k for k in self.all if target in (k.target.id, k.reference.name)), None)

    def predictor(self, version: str, target_id: str | None = None) -> PredictorRecord | None:
        """A reference's predictor by its version."""
        found = (k.predictor for k in self.all if k.predictor.version == version)
        return next((r for r in found if target_id in (None, r.target_id)), None)

    def predictor_file(self, record: PredictorRecord) -> Path:
        """Where the predictor lies, checked; raises DamagedArtifact."""
        for known in self.all:
            if known.predictor.version == record.version:
                try:
                    return known.reference.file(PREDICTOR_FILE)
                except LookupTableError as error:
                    raise DamagedArtifact(str(error)) from error
        raise DamagedArtifact(f"no reference has the predictor {record.version}")


def is_reference(version: str) -> bool:
    """Whether a version of a table or predictor is a reference's."""
    return version.startswith(PREFIX)
