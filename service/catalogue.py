"""Who answers: a snapshot of targets, aliases and promotions that is never older than a moment.

Asking the database on every request would cost more than pricing a small graph does; a promotion, also one by another
process, is noticed when the snapshot is read again. That happens beside the requests, and a predictor that was
promoted is loaded before it answers, so that no request waits for it. One that cannot be loaded here leaves the one
before in place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from service.db import PredictorRecord, PromotionRecord, TargetRecord
from service.errors import NoPredictor, UnknownTarget
from service.logs import log
from service.promotions import no_predictor
from service.references import Known
from service.store import Store


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Targets of the store, and the promotion of each that has one, the last first; and the references."""

    own: tuple[TargetRecord, ...]
    promotions: tuple[PromotionRecord, ...]
    references: tuple[Known, ...] = ()
    #: By id and alias.
    ids: dict[str, str] = field(default_factory=dict)
    #: Who answers; a reference where nothing was promoted.
    by_target: dict[str, PromotionRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for target in self.own:
            self.ids.update(dict.fromkeys(target.aliases, target.id))
        self.ids.update({target.id: target.id for target in self.own})
        self.by_target.update({known.target.id: known.promotion for known in self.references})
        self.by_target.update({p.predictor.target_id: p for p in self.promotions})

    @property
    def targets(self) -> tuple[TargetRecord, ...]:
        """All that can be asked for: those of the store, then those of references that it does not have."""
        others = (known.target for known in self.references if known.target.id not in self.ids)
        return (*self.own, *(replace(t, aliases=tuple(a for a in t.aliases if a not in self.ids)) for t in others))


class Catalogue:
    """The current `Snapshot` of a store; thread-safe.

    It is read again when it is ``refresh_s`` old, by a thread beside the one that asks; when nobody asked for twice as
    long, by the one that asks. ``prepare`` loads a predictor that is about to answer instead of another one.
    """

    def __init__(self, store: Store, refresh_s: float, prepare: Callable[[PredictorRecord], object]) -> None:
        self._store = store
        self._refresh_s = refresh_s
        self._prepare = prepare
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at = float("-inf")
        #: Promotions that could not be followed here, by target, and why.
        self.refused: dict[str, str] = {}

    def snapshot(self) -> Snapshot:
        with self._lock:
            age_s = time.monotonic() - self._read_at
            if self._snapshot is None or (age_s > 2 * self._refresh_s and not self._refreshing.locked()):
                self._read()
            elif age_s > self._refresh_s and self._refreshing.acquire(blocking=False):
                threading.Thread(target=self._read_beside, name="catalogue", daemon=True).start()
            assert self._snapshot is not None
            return self._snapshot

    def _read_beside(self) -> None:
        try:
            self._read()
        except Exception as error:  # who asks next for longer than that is told
            log.warning("who answers could not be read again: %s", error)
        finally:
            self._refreshing.release()

    def _read(self) -> None:
        now = time.monotonic()
        before = {p.predictor.target_id: p for p in self._snapshot.promotions} if self._snapshot is not None else {}
        refused: dict[str, str] = {}
        followed = [self._follow(p, before.get(p.predictor.target_id), refused) for p in self._store.promotions()]
        self._snapshot = Snapshot(tuple(self._store.targets()), tuple(followed), tuple(self._store.references.all))
        self._read_at, self.refused = now, refused

    def _follow(
        self, promotion: PromotionRecord, before: PromotionRecord | None, refused: dict[str, str]
    ) -> PromotionRecord:
        """The promotion, or the one before where its predictor cannot be loaded."""
        new = promotion.predictor
        if before is None or before.predictor.version == new.version:
            return promotion
        try:
            self._prepare(new)
        except Exception as error:
            refused[new.target_id] = f"{new.version} cannot be loaded here; {before.predictor.version} still answers"
            log.error("promotion of %s was not followed: %s", new.version, error)
            return before
        return promotion

    def resolve(self, targets: Sequence[str], predictor: str | None = None) -> list[PredictorRecord]:
        """The predictor version that answers for each of ``targets`` (ids or aliases; none for the last promoted).

        ``predictor`` pins a version, which must be one of every target asked for.

        Raises:
            UnknownTarget: no such id or alias.
            UnknownPredictor: the pinned version does not exist there.
            NoPredictor: nothing was promoted (there).
        """
        snapshot = self.snapshot()
        if predictor is not None:
            if not targets:
                return [self._store.predictor(predictor)]
            return [self._store.predictor(predictor, self._answering(snapshot, name)[0]) for name in targets]
        if not targets:
            if not snapshot.promotions:
                raise NoPredictor(no_predictor(None, self._store.references))
            return [snapshot.promotions[0].predictor]
        found = []
        for name in targets:
            target_id, record = self._answering(snapshot, name)
            if record is None:
                raise NoPredictor(no_predictor(target_id, self._store.references))
            found.append(record)
        return found

    def _answering(self, snapshot: Snapshot, name: str) -> tuple[str, PredictorRecord | None]:
        """The id of a target and who answers for it. What is called by a reference's name is the reference."""
        target_id = snapshot.ids.get(name)
        if target_id is not None:
            promotion = snapshot.by_target.get(target_id)
            return target_id, promotion.predictor if promotion else None
        known = self._store.references.find(name)
        if known is None:
            raise UnknownTarget(
                f"no target is called {name!r}; GET /v1/targets lists those that there are",
                sorted({*snapshot.ids, *(n for t in snapshot.targets for n in (t.id, *t.aliases))}),
            )
        return known.target.id, known.predictor
