"""Ask an ArchGauge service what a neural architecture will cost on a device.

>>> from archgauge_client import Client
>>> with Client("http://127.0.0.1:8080") as client:  # doctest: +SKIP
...     print(client.predict("model.onnx").predictions[0].latency_ms)

A distribution of its own (``archgauge-client``) that needs httpx and pydantic, nothing else of ArchGauge.
"""

from archgauge_client.client import AsyncClient, Client
from archgauge_client.errors import (
    ArchGaugeError,
    InvalidRequest,
    NoPredictor,
    NotAModel,
    NotFound,
    Overloaded,
    ProblemError,
    ServerError,
    ServiceUnreachable,
    UnpriceableArchitecture,
)
from archgauge_client.latency_table import LatencyTable, LayerTable
from archgauge_client.retries import RetryPolicy
from archgauge_client.stripping import strip_file, strip_weights
from archgauge_client.wire import (
    BatchAnswer,
    BatchRequest,
    Prediction,
    PredictionRequest,
    PredictionResponse,
    Problem,
    Target,
)
from archgauge_client.wire_spaces import RowPredictions, SearchSpace

__version__ = "0.1.0"

__all__ = [
    "ArchGaugeError",
    "AsyncClient",
    "BatchAnswer",
    "BatchRequest",
    "Client",
    "InvalidRequest",
    "LatencyTable",
    "LayerTable",
    "NoPredictor",
    "NotAModel",
    "NotFound",
    "Overloaded",
    "Prediction",
    "PredictionRequest",
    "PredictionResponse",
    "Problem",
    "ProblemError",
    "RetryPolicy",
    "RowPredictions",
    "SearchSpace",
    "ServerError",
    "ServiceUnreachable",
    "Target",
    "UnpriceableArchitecture",
    "strip_file",
    "strip_weights",
]
