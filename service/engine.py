"""The pricing engine: requests in, predictions out. Blocking and thread-safe; `service.workers` runs it in threads.

``architecture → Graph → bound and inferred → one prediction per target``. The graph is prepared once for all targets;
each target's predictor lowers it as its runtime would, or recalls what became of its parts in other graphs. Many
requests are priced together: kernels that they share are estimated once, and the regressors are called once per kernel
kind for all of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from archgauge_client.wire import GraphArchitecture, OnnxArchitecture, PredictionRequest, SearchSpaceArchitecture
from graphs import Graph, bind, infer, read
from graphs.interruption import interruptible
from graphs.json_text import GraphText
from predictors import Predictor
from predictors.estimates import Estimate
from predictors.lowered import Lowered
from predictors.memory import MemoryUsage
from service.catalogue import Catalogue
from service.db import PredictorRecord
from service.errors import ClientGone, GraphTooLarge
from service.metrics import Metrics
from service.requests import DecodedGraph
from service.settings import Settings
from service.spaces.library import Library
from service.store import Store
from service.workers import Deadline


class PredictorCache:
    """Loaded predictors, the ``size`` used last. A version is loaded once, while those who want it wait."""

    def __init__(self, store: Store, size: int) -> None:
        self._store = store
        self._size = size
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[str, str], Future[Predictor]] = OrderedDict()

    def get(self, record: PredictorRecord) -> Predictor:
        """The predictor of a version.

        Raises:
            DamagedArtifact: its files are not those that were registered.
            PredictorError: this version of ArchGauge cannot read them.
        """
        key = (record.target_id, record.version)
        with self._lock:
            found = self._loaded.get(key)
            predictor = found or Future()
            self._loaded[key] = predictor
            self._loaded.move_to_end(key)
            if len(self._loaded) > self._size:
                self._loaded.popitem(last=False)
        if found is None:
            self._load(record, key, predictor)
        return predictor.result()

    def _load(self, record: PredictorRecord, key: tuple[str, str], predictor: Future[Predictor]) -> None:
        try:
            predictor.set_result(Predictor.load(self._store.predictor_folder(record)))
        except BaseException as error:
            with self._lock:
                self._loaded.pop(key, None)  # the next one tries again
            predictor.set_exception(error)


@dataclass(slots=True)
class _Part:
    """A graph on one target, on its way."""

    predictor: Predictor
    lowered: Lowered
    estimates: list[Estimate] | None = None


@dataclass(slots=True)
class _Job:
    """A request on its way: its parts, or the error that ended it."""

    request: PredictionRequest
    name: str = ""
    parts: list[_Part] | None = None
    error: Exception | None = None


class PricingEngine:
    """Prices architectures with the predictors of a store."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics | None = None) -> None:
        self.predictors = PredictorCache(store, settings.max_loaded_predictors)
        self.library = Library(store.database, settings.max_graph_nodes)
        self.catalogue = Catalogue(store, settings.refresh_s, self.predictors.get)
        self._max_nodes = settings.max_graph_nodes
        self._metrics = metrics or Metrics()
        self._reporting = threading.Lock()
        self._usages: WeakKeyDictionary[Predictor, MemoryUsage] = WeakKeyDictionary()

    def warm_up(self) -> PredictorRecord:
        """Load the predictor that answers by default, or raise what keeps it from answering."""
        record = self.catalogue.resolve([])[0]
        self.predictors.get(record)
        return record

    def price(self, request: PredictionRequest, deadline: Deadline) -> dict[str, Any]:
        """The ``name`` and ``predictions`` of a `PredictionResponse`, as JSON data.

        Raises:
            GraphError, GraphTooLarge: the architecture cannot be used.
            UnpriceableKernels: with ``strict``, when no source can price some operators.
            UnknownTarget, UnknownPredictor, NoPredictor, DamagedArtifact: nobody can answer.
            TimeLimitExceeded: the deadline has passed.
            ClientGone: nobody waits any more.
        """
        (outcome,) = self.price_many([request], deadline)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def price_many(
        self, requests: Sequence[PredictionRequest], deadline: Deadline, *, renew: bool = False
    ) -> list[dict[str, Any] | Exception]:
        """As `price` for every request, in order, with what it would raise in place of the answer.

        An architecture object that several requests share is read once. With ``renew`` each request has the time that
        the deadline gives. Only ClientGone is raised.
        """
        jobs = [_Job(request) for request in requests]
        graphs: dict[int, Graph] = {}
        for job in jobs:
            try:
                if renew:
                    deadline.renew()
                with interruptible(deadline.check):
                    self._lower(job, graphs, deadline)
            except ClientGone:
                raise
            except Exception as error:
                job.error = error
        self._estimate(jobs)
        with self._metrics.stage("compose"):
            return [self._compose(job) for job in jobs]

    def _lower(self, job: _Job, graphs: dict[int, Graph], deadline: Deadline) -> None:
        request = job.request
        records = self.catalogue.resolve(request.targets, request.predictor)
        deadline.check()
        bound = self._bound(request, graphs, deadline)
        job.name = request.name or bound.name
        inferred = bound if isinstance(request.architecture, SearchSpaceArchitecture) else None
        parts = []
        for record in records:
            deadline.check()
            predictor = self.predictors.get(record)
            with self._metrics.stage("infer"):
                lowered = predictor.recall(bound, detail=request.detail)  # which needs no types
                if lowered is None and inferred is None:
                    inferred = infer(bound)
            if lowered is None:
                assert inferred is not None
                with self._metrics.stage("lower"):
                    lowered = predictor.lower(inferred, detail=request.detail)
            parts.append(_Part(predictor, lowered))
        job.parts = parts

    def _bound(self, request: PredictionRequest, graphs: dict[int, Graph], deadline: Deadline) -> Graph:
        architecture = request.architecture
        if isinstance(architecture, SearchSpaceArchitecture):
            with self._metrics.stage("read"):
                return self._assemble(architecture, request)
        graph = graphs.get(id(architecture))
        if graph is None:
            with self._metrics.stage("read"):
                graph = graphs[id(architecture)] = self._read(_data_of(architecture))
            deadline.check()
        return bind(graph, batch_size=request.batch_size, dims=request.dims, input_shapes=request.input_shapes)

    def _assemble(self, architecture: SearchSpaceArchitecture, request: PredictionRequest) -> Graph:
        """The graph of an architecture of a search space, which is inferred block by block."""
        space = self.library.find(architecture.space)
        graph = space.graph(architecture.choices, batch_size=request.batch_size, dims=request.dims)
        return bind(graph, batch_size=request.batch_size, input_shapes=request.input_shapes)

    def _read(self, data: bytes | Mapping[str, Any] | GraphText) -> Graph:
        graph = read(data)
        if len(graph.nodes) > self._max_nodes:
            raise GraphTooLarge(
                f"the graph has {len(graph.nodes):,} nodes; at most {self._max_nodes:,} are accepted", self._max_nodes
            )
        return graph

    def _estimate(self, jobs: Sequence[_Job]) -> None:
        """Estimate the kernels of all parts, together for each predictor."""
        by_predictor: dict[Predictor, list[tuple[_Job, _Part]]] = {}
        for job in jobs:
            for part in job.parts or ():
                by_predictor.setdefault(part.predictor, []).append((job, part))
        with self._metrics.stage("estimate"):
            for predictor, parts in by_predictor.items():
                try:
                    told = predictor.estimate_many([part.lowered.kernels for _, part in parts])
                except Exception:  # some graph is at fault: the others shall not suffer for it
                    self._estimate_apart(predictor, parts)
                else:
                    for (_, part), estimates in zip(parts, told, strict=True):
                        part.estimates = estimates
                self._report_memory(predictor)

    @staticmethod
    def _estimate_apart(predictor: Predictor, parts: Sequence[tuple[_Job, _Part]]) -> None:
        for job, part in parts:
            try:
                part.estimates = predictor.estimate(part.lowered.kernels)
            except Exception as error:
                job.error = error

    def _report_memory(self, predictor: Predictor) -> None:
        with self._reporting:
            usage, seen = predictor.memory, self._usages.get(predictor)
            self._usages[predictor] = usage
        self._metrics.estimated(usage.hits - (seen.hits if seen else 0), usage.misses - (seen.misses if seen else 0))

    def _compose(self, job: _Job) -> dict[str, Any] | Exception:
        if job.error is None:
            try:
                return {"name": job.name, "predictions": [self._predict(job.request, p) for p in job.parts or ()]}
            except Exception as error:
                job.error = error
        self._metrics.refused()
        return job.error

    def _predict(self, request: PredictionRequest, part: _Part) -> dict[str, Any]:
        estimates = part.estimates or []
        prediction = part.predictor.price(part.lowered, estimates, confidence=request.confidence, strict=request.strict)
        self._metrics.predicted(prediction.latency_ms.value, prediction.coverage)
        return prediction.to_json()


def _data_of(architecture: OnnxArchitecture | GraphArchitecture) -> bytes | Mapping[str, Any] | GraphText:
    if isinstance(architecture, OnnxArchitecture):
        return architecture.onnx
    return architecture.text if isinstance(architecture, DecodedGraph) else architecture.graph
