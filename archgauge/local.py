"""Predictions on this machine, without HTTP: the same engine, the same answers, kept in the same database."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from archgauge.errors import UnreadableModel
from archgauge.state import open_store, settings
from archgauge_client import strip_file
from archgauge_client.wire import GraphArchitecture, OnnxArchitecture, PredictionRequest
from service.answers import PredictionWork
from service.db import Predictions
from service.engine import PricingEngine
from service.workers import Deadline


class LocalPricing:
    """Answers like the service does."""

    def __init__(self, data_dir: Path) -> None:
        self._settings = settings(data_dir)
        self.store = open_store(data_dir)
        self._engine = PricingEngine(self.store, self._settings)

    def require(self, targets: Sequence[str]) -> None:
        """Raise UnknownTarget or NoPredictor now rather than once per file."""
        self._engine.catalogue.resolve(targets)

    def answer(self, file: Path, targets: Sequence[str] = (), **request: Any) -> dict[str, Any]:
        """What ``POST /v1/predictions`` returns for a file; ``request`` are further fields of its body.

        Raises:
            UnreadableModel: the file is no model.
            GraphError, PredictorError, ServiceError: as the service does.
        """
        body = PredictionRequest(architecture=_architecture(file), targets=list(targets), **request)
        made = PredictionWork(self._engine, body.model_dump_json().encode())(Deadline(math.inf))
        if made.keep:
            with self.store.database.write() as session:
                Predictions(session).add([made.record])
        answer: dict[str, Any] = json.loads(made.record.answer)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.store.close()


def _architecture(file: Path) -> OnnxArchitecture | GraphArchitecture:
    try:
        if file.suffix.lower() != ".json":
            return OnnxArchitecture(format="onnx", onnx=strip_file(file))
        graph = json.loads(file.read_bytes())
    except OSError as error:
        raise UnreadableModel(f"{file}: {error.strerror or error}") from error
    except ValueError as error:
        raise UnreadableModel(f"{file}: not a JSON graph: {error}") from error
    if not isinstance(graph, Mapping):
        raise UnreadableModel(f"{file}: not a JSON graph: the outermost value is a {type(graph).__name__}")
    return GraphArchitecture(format="graph", graph=dict(graph))
