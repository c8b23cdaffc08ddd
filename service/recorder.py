"""Keep answers, so that they can be fetched again.

One thread writes them: all that arrived while it wrote the previous ones go into one transaction, so that syncing the
disk costs many requests as much as one. An answer's id is given away only after it is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future

from service.db import Database, PredictionRecord, Predictions
from service.logs import log

_Entry = tuple[PredictionRecord, Future[None]]
_MAX_BATCH = 500


class Recorder:
    """Writes predictions to the database and keeps the ``keep`` newest."""

    def __init__(self, database: Database, keep: int) -> None:
        self._database = database
        self._keep = keep
        self._prune_every = max(1, min(1000, keep // 10))
        self._since_pruned = 0
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    async def record(self, record: PredictionRecord) -> None:
        """Return when the record is on disk, or raise what kept it from there."""
        done: Future[None] = Future()
        self._queue.put((record, done))
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

    def _next_batch(self) -> tuple[list[_Entry], bool]:
        batch: list[_Entry] = []
        entry = self._queue.get()
        while entry is not None:
            batch.append(entry)
            if len(batch) == _MAX_BATCH:
                return batch, True
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _write(self, entries: list[_Entry]) -> None:
        batch = [entry for entry in entries if entry[1].set_running_or_notify_cancel()]  # who hung up needs no record
        try:
            with self._database.write() as session:
                predictions = Predictions(session)
                predictions.add([record for record, _ in batch])
                self._since_pruned += len(batch)
                if self._since_pruned >= self._prune_every:
                    predictions.keep_newest(self._keep)
                    self._since_pruned = 0
        except Exception as error:
            log.exception("predictions could not be stored")
            for _, done in batch:
                done.set_exception(error)
        else:
            for _, done in batch:
                done.set_result(None)
