"""Compiled spaces: in memory, as files beside the predictors, or still to be compiled.

A small space is compiled while the request waits. One that takes longer becomes a durable job, whose process leaves the
result as a version's folder (``search-spaces/<space>/<target>/<predictor>/``), where every process finds it. After a
promotion the space is compiled again when it is next asked for; until that is done, the one before answers and says so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from predictors import CorruptPredictor, Predictor
from predictors.compiled import CompiledSpace, compile_space, load_compiled, save_compiled
from service.db import JobRecord, Jobs, PredictorRecord, SearchSpaces
from service.errors import CompilationFailed, DamagedArtifact, NotCompiled, TimeLimitExceeded
from service.logs import log
from service.spaces.library import BoundSpace
from service.store import Store
from service.workers import Deadline

#: How long a request may compile by itself.
AT_ONCE_S = 4.0

#: Compiled spaces that are kept in memory.
_KEPT = 16

#: Among so many of the newest jobs, one that compiles the space is looked for.
_LOOKED_AT = 200

#: The kind of job.
KIND = "compile"

#: The file in the folder of a compiled space.
FILE = "compiled.npz"

_Key = tuple[str, str, str]


class Shelved(NamedTuple):
    """A compiled space, or the job that makes it."""

    compiled: CompiledSpace | None
    job: JobRecord | None = None


class Shelf:
    """Compiled spaces of a store, ``most`` of them as files; thread-safe."""

    def __init__(self, store: Store, predictors: Callable[[PredictorRecord], Predictor], most: int) -> None:
        self._store = store
        self._most = most
        self._predictors = predictors
        self._lock = threading.Lock()
        self._ready: OrderedDict[_Key, CompiledSpace] = OrderedDict()
        self._latest: dict[tuple[str, str], _Key] = {}
        self._compiling: dict[_Key, threading.Lock] = {}
        #: What took too long for a request.
        self._slow: set[_Key] = set()

    def get(
        self, bound: BoundSpace, record: PredictorRecord, deadline: Deadline, *, pinned: bool = True, anew: bool = False
    ) -> Shelved:
        """The compiled space, made now if that is quick; else with the job that makes it.

        Where the predictor is not ``pinned``, the one compiled before serves while the newest is being compiled.
        ``anew`` tries again what failed before.

        Raises:
            GraphError, UnpriceableKernels, CompilationFailed: it cannot be compiled.
            TimeLimitExceeded: the deadline has passed.
        """
        key = (bound.id, record.target_id, record.version)
        found = self._remembered(key) or self._load(key, bound, record)
        if found is None and key not in self._slow:
            found = self._compile(key, bound, record, deadline)
        if found is not None:
            return Shelved(found)
        job = self._job(key, bound, anew)
        if pinned:
            return Shelved(None, job)
        with self._lock:
            before = self._latest.get(key[:2])
            return Shelved(None if before is None else self._ready.get(before), job)

    def ready(self, bound: BoundSpace, record: PredictorRecord, deadline: Deadline, *, pinned: bool) -> CompiledSpace:
        """As `get`. Raises NotCompiled where there is nothing to answer with yet."""
        shelved = self.get(bound, record, deadline, pinned=pinned)
        if shelved.compiled is None:
            job = f"; GET /v1/jobs/{shelved.job.id} says how far it is" if shelved.job is not None else ""
            raise NotCompiled(f"the search space {bound.space.name} is being compiled for {record.target_id}{job}")
        return shelved.compiled

    def _remembered(self, key: _Key) -> CompiledSpace | None:
        with self._lock:
            found = self._ready.get(key)
            if found is not None:
                self._ready.move_to_end(key)
            return found

    def _remember(self, key: _Key, compiled: CompiledSpace) -> CompiledSpace:
        with self._lock:
            self._ready[key] = compiled
            self._ready.move_to_end(key)
            self._latest[key[:2]] = key
            if len(self._ready) > _KEPT:
                oldest, _ = self._ready.popitem(last=False)
                if self._latest.get(oldest[:2]) == oldest:
                    del self._latest[oldest[:2]]
        return compiled

    def _load(self, key: _Key, bound: BoundSpace, record: PredictorRecord) -> CompiledSpace | None:
        """What a job or another process left."""
        try:
            folder = self._store.compiled_folder(bound.id, record)
            compiled = load_compiled(
                folder / FILE, self._predictors(record), bound.space, batch_size=bound.batch_size, dims=bound.dims
            )
        except DamagedArtifact:
            return None
        except CorruptPredictor as error:  # of an older version of the code: it is made again
            log.warning("%s", error)
            return None
        return self._remember(key, compiled)

    def _compile(
        self, key: _Key, bound: BoundSpace, record: PredictorRecord, deadline: Deadline
    ) -> CompiledSpace | None:
        """Compile it if that is quick; others who want it wait."""
        with self._lock:
            mine = self._compiling.setdefault(key, threading.Lock())
        with mine:
            try:
                if (found := self._remembered(key)) is not None or key in self._slow:
                    return found
                return self._compile_now(key, bound, record, deadline)
            finally:
                with self._lock:
                    self._compiling.pop(key, None)

    def _compile_now(
        self, key: _Key, bound: BoundSpace, record: PredictorRecord, deadline: Deadline
    ) -> CompiledSpace | None:
        """Compile it unless that takes longer than `AT_ONCE_S`, which is noted."""
        budget = Deadline(AT_ONCE_S)

        def check() -> None:
            deadline.check()
            budget.check()

        try:
            compiled = compile_space(
                self._predictors(record), bound.space, batch_size=bound.batch_size, dims=bound.dims, check=check
            )
        except TimeLimitExceeded:
            deadline.check()
            self._slow.add(key)
            return None
        keep(self._store, bound, record, compiled, self._most)
        return self._remember(key, compiled)

    def _job(self, key: _Key, bound: BoundSpace, anew: bool) -> JobRecord:
        """The job that compiles a space: one that is under way, or a new one."""
        arguments = dict(zip(("space", "target", "predictor"), key, strict=True))
        with self._store.database.write() as session:
            SearchSpaces(session).add(bound.record())
            jobs = Jobs(session)
            last = next((j for j in jobs.newest(_LOOKED_AT) if j.kind == KIND and dict(j.arguments) == arguments), None)
            if last is not None and last.state in ("queued", "running"):
                return last
            if last is not None and last.state == "failed" and not anew:
                raise CompilationFailed(f"{last.error}; POST /v1/search-spaces tries again")
            return jobs.add(KIND, arguments, "service")


def keep(store: Store, bound: BoundSpace, record: PredictorRecord, compiled: CompiledSpace, most: int) -> None:
    """Leave a compiled space where every process finds it, in place of the one that was used longest ago if there are
    ``most`` of them.
    """
    store.keep_compiled(bound.id, record, {FILE: save_compiled(compiled)}, most)
