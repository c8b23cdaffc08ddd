"""Who answers: a snapshot of targets, aliases and promotions that is never older than a moment.

Asking the database on every request would cost more than pricing a small graph does; a promotion, also one by another
process, is noticed when the snapshot is read again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.db import PredictorRecord, PromotionRecord, TargetRecord
from service.errors import NoPredictor, UnknownTarget
from service.store import Store, no_predictor


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
    """The current `Snapshot` of a store, at most ``refresh_s`` old; thread-safe."""

    def __init__(self, store: Store, refresh_s: float) -> None:
        self._store = store
        self._refresh_s = refresh_s
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._read_at = 0.0

    def snapshot(self) -> Snapshot:
        with self._lock:
            now = time.monotonic()
            if self._snapshot is None or now - self._read_at > self._refresh_s:
                self._snapshot = Snapshot(tuple(self._store.targets()), tuple(self._store.promotions()))
                self._read_at = now
            return self._snapshot

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
