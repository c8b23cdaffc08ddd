"""Who answers for which target: promotions and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from service.db import Database, PredictorRecord, PromotionRecord, TargetRecord, Versions
from service.errors import NoPredictor, NothingBefore, NotPromotable
from service.references import References, is_reference

_Record_contra = TypeVar("_Record_contra", contravariant=True)


class Within(Protocol[_Record_contra]):
    """What to do with a new record within the transaction that makes it."""

    def __call__(self, session: Any, record: _Record_contra, /) -> None: ...


class Promotions(ABC):
    """The part of `service.store.Store` that decides who answers. Promotions are only ever added."""

    database: Database
    references: References

    @abstractmethod
    def target(self, name: str) -> TargetRecord: ...

    @abstractmethod
    def predictor(self, version: str, target: str | None = None) -> PredictorRecord: ...

    @abstractmethod
    def predictor_folder(self, record: PredictorRecord) -> Path: ...

    def promote(
        self, version: str, target: str | None = None, note: str = "", within: Within[PredictorRecord] | None = None
    ) -> PredictorRecord:
        """Let a predictor version answer for its target from now on.

        Raises:
            NotPromotable: its target is emulated.
            DamagedArtifact: its files are not those that were registered.
        """
        record = self.predictor(version, target)
        if is_reference(record.version):
            raise NotPromotable(f"{record.version} is a reference: it answers whoever names its target, and no others")
        if self.target(record.target_id).emulated:
            raise NotPromotable(f"{record.target_id} was measured under an emulator; its times are nobody's")
        self.predictor_folder(record)
        with self.database.write() as session:
            Versions(session).promote(record.target_id, record.version, note)
            if within is not None:
                within(session, record)
        return record

    def history(self, target: str) -> Sequence[PromotionRecord]:
        """All promotions of a target, the newest first."""
        target_id = self.target(target).id
        with self.database.read() as session:
            return Versions(session).promotions(target_id)

    def before(self, target: str) -> PredictorRecord:
        """The predictor that answered before the one that answers now, to go back to.

        Raises:
            NothingBefore: there was no other.
        """
        history = self.history(target)
        for promotion in history:
            if promotion.predictor.version != history[0].predictor.version:
                return promotion.predictor
        raise NothingBefore(f"no other predictor ever answered for {target}")

    def promotions(self) -> list[PromotionRecord]:
        """Who answers for each target now, the one promoted last first."""
        with self.database.read() as session:
            return Versions(session).promoted()

    def promoted(self, target: str | None = None) -> PredictorRecord:
        """The predictor that answers for a target, a reference where nothing was promoted; without one, for the
        target promoted last.

        Raises:
            NoPredictor: nothing was promoted (there).
        """
        record = None if target is None else self.target(target)
        target_id = None if record is None else record.id
        reference = None if target_id is None else self.references.find(target_id)
        if reference is not None and record is reference.target:
            return reference.predictor
        for promotion in self.promotions():
            if target_id in (None, promotion.predictor.target_id):
                return promotion.predictor
        if reference is not None:
            return reference.predictor
        raise NoPredictor(no_predictor(target_id, self.references))


def no_predictor(target_id: str | None, references: References) -> str:
    """What to say when nobody can answer."""
    if target_id is None:
        names = ", ".join(known.reference.name for known in references.all)
        others = f", or name a target that was measured elsewhere: {names}" if names else ""
        return f"no target has a predictor yet; run `archgauge profile` on the device{others}"
    return f"the target {target_id} has no predictor yet; run `archgauge profile` on the device"
