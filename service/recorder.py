"""Keep answers, so that they can be fetched again.

One thread writes them: all that arrived while it wrote the previous ones go into one transaction. An answer's id is
given away once its row is committed, which on PostgreSQL means that it is on disk. On SQLite, where syncing the disk
for every answer would take longer than making it, it means that the operating system has it: the death of our processes
cannot take it away any more. The disk is synced once a second; only a power failure can take what came since then, and
asking again gives the same predictions. Who cannot have that lets every transaction be synced (`eager`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from concurrent.futures import Future

from service.db import Database, PredictionRecord, Predictions
from service.logs import log
from service.metrics import Metrics

_Entry = tuple[tuple[PredictionRecord, ...], Future[None]]
_MAX_BATCH = 500
_SYNC_EVERY_S = 1.0


class Recorder:
    """Writes predictions to the database and keeps the ``keep`` newest."""

    def __init__(self, database: Database, keep: int, metrics: Metrics | None = None, *, eager: bool = False) -> None:
        self._database = database
        self._transaction = database.write if eager else database.write_lazily
        self._metrics = metrics or Metrics()
        self._keep = keep
        self._prune_every = max(1, min(1000, keep // 10))
        self._since_pruned = 0
        self._unsynced, self._synced_at = False, time.monotonic()
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    async def record(self, *records: PredictionRecord) -> None:
        """Return when the records are committed, or raise what kept them from it."""
        if records:
            done: Future[None] = Future()
            self._queue.put((records, done))
            await asyncio.wrap_future(done)

    async def close(self) -> None:
        """Write what is waiting and stop."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _write_all(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._next_batch()
            if batch:
                self._write(batch)
            self._sync(at_once=not going_on)

    def _next_batch(self) -> tuple[list[_Entry], bool]:
        """What is waiting, and whether more may come; after a while without anything an empty one."""
        batch: list[_Entry] = []
        try:
            entry = self._queue.get(timeout=_SYNC_EVERY_S if self._unsynced else None)
            while entry is not None:
                batch.append(entry)
                if len(batch) == _MAX_BATCH:
                    return batch, True
                entry = self._queue.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _write(self, entries: list[_Entry]) -> None:
        batch = [entry for entry in entries if entry[1].set_running_or_notify_cancel()]  # who hung up needs no record
        records = [record for some, _ in batch for record in some]
        try:
            with self._metrics.stage("store"), self._transaction() as session:
                predictions = Predictions(session)
                predictions.add(records)
                self._since_pruned += len(records)
                if self._since_pruned >= self._prune_every:
                    predictions.keep_newest(self._keep)
                    self._since_pruned = 0
        except Exception as error:
            log.exception("predictions could not be stored")
            for _, done in batch:
                done.set_exception(error)
        else:
            self._unsynced = True
            for _, done in batch:
                done.set_result(None)

    def _sync(self, at_once: bool) -> None:
        now = time.monotonic()
        if not self._unsynced or (now - self._synced_at < _SYNC_EVERY_S and not at_once):
            return
        try:
            self._database.sync()
        except Exception as error:  # what was written is readable all the same; the next one tries again
            log.warning("the database could not be synced: %s", error)
        self._unsynced, self._synced_at = False, now
