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
from dataclasses import dataclass, field

from service.db import PredictorRecord, PromotionRecord, TargetRecord
from service.errors import NoPredictor, UnknownTarget
from service.logs import log
from service.promotions import no_predictor
from service.store import Store


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Targets, and the promotion of each that has one, the last first."""

    targets: tuple[TargetRecord, ...]
    promotions: tuple[PromotionRecord, ...]
    ids: dict[str, str] = field(default_factory=dict)
    by_target: dict[str, PromotionRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for target in self.targets:
            self.ids.update(dict.fromkeys(target.aliases, target.id))
        self.ids.update({target.id: target.id for target in self.targets})
        self.by_target.update({p.predictor.target_id: p for p in self.promotions})


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
        before = self._snapshot.by_target if self._snapshot is not None else {}
        refused: dict[str, str] = {}
        followed = [self._follow(p, before.get(p.predictor.target_id), refused) for p in self._store.promotions()]
        self._snapshot = Snapshot(tuple(self._store.targets()), tuple(followed))
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
        ids = [self._id(snapshot, name) for name in targets]
        if predictor is not None:
            if not ids:
                return [self._store.predictor(predictor)]
            return [self._store.predictor(predictor, target_id) for target_id in ids]
        if not ids:
            if not snapshot.promotions:
                raise NoPredictor(no_predictor(None))
            return [snapshot.promotions[0].predictor]
        for target_id in ids:
            if target_id not in snapshot.by_target:
                raise NoPredictor(no_predictor(target_id))
        return [snapshot.by_target[target_id].predictor for target_id in ids]

    @staticmethod
    def _id(snapshot: Snapshot, name: str) -> str:
        target_id = snapshot.ids.get(name)
        if target_id is None:
            raise UnknownTarget(
                f"no target is called {name!r}; GET /v1/targets lists those that there are", sorted(snapshot.ids)
            )
        return target_id
