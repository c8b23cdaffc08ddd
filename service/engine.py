"""The pricing engine: requests in, predictions out. Blocking and thread-safe; `service.workers` runs it in threads.

``architecture → Graph → bound and inferred → one prediction per target``. The graph is prepared once for all targets;
each target's predictor lowers it as its runtime would.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

from archgauge_client.wire import OnnxArchitecture, PredictionRequest
from graphs import Graph, bind, infer, read
from predictors import Predictor
from service.catalogue import Catalogue
from service.db import PredictorRecord
from service.errors import GraphTooLarge
from service.settings import Settings
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


class PricingEngine:
    """Prices architectures with the predictors of a store."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.catalogue = Catalogue(store, settings.refresh_s)
        self.predictors = PredictorCache(store, settings.max_loaded_predictors)
        self._max_nodes = settings.max_graph_nodes

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
        """
        records = self.catalogue.resolve(request.targets, request.predictor)
        graph = self._prepare(request, deadline)
        predictions = []
        for record in records:
            deadline.check()
            prediction = self.predictors.get(record).predict(
                graph, confidence=request.confidence, detail=request.detail, strict=request.strict
            )
            predictions.append(prediction.to_json())
        return {"name": request.name or graph.name, "predictions": predictions}

    def _prepare(self, request: PredictionRequest, deadline: Deadline) -> Graph:
        architecture = request.architecture
        data = architecture.onnx if isinstance(architecture, OnnxArchitecture) else architecture.graph
        graph = read(data)
        if len(graph.nodes) > self._max_nodes:
            raise GraphTooLarge(
                f"the graph has {len(graph.nodes):,} nodes; at most {self._max_nodes:,} are accepted", self._max_nodes
            )
        deadline.check()
        graph = bind(graph, batch_size=request.batch_size, dims=request.dims, input_shapes=request.input_shapes)
        deadline.check()
        return infer(graph)
