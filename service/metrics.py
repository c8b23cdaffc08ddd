"""What `GET /metrics` shows, in Prometheus' text format.

Every application has a registry of its own. Where several processes share a socket, `serve` names a folder in
``PROMETHEUS_MULTIPROC_DIR`` before they start; each keeps its numbers in files there, and whichever is asked adds up
all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

#: Seconds: steps of about a factor of two from half a millisecond on.
_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

#: Parts of a prediction, in the order in which they happen.
STAGES = ("wait", "read", "infer", "lower", "estimate", "compose", "store")

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """All numbers that the service counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        given: Any = {"namespace": "archgauge", "registry": self._registry}
        self._requests = Counter("http_requests", "Requests answered.", ("method", "route", "status"), **given)
        self._request_s = Histogram(
            "http_request_seconds", "From the first byte of a request to the last of its answer.", ("route",),
            buckets=_BUCKETS, **given,
        )  # fmt: skip
        stages = Histogram(
            "stage_seconds",
            "Parts of predictions; in batches, of whole windows.",
            ("stage",),
            buckets=_BUCKETS,
            **given,
        )
        self._stages = {name: stages.labels(name) for name in STAGES}
        self._predictions = Counter(
            "predictions", "Predictions asked for, by what became of them.", ("outcome",), **given
        )
        self._latency = Counter(
            "predicted_seconds", "Sum of predicted latencies by who answered for them.", ("source",), **given
        )
        self._estimates = Counter(
            "kernel_estimates", "Kernels asked for, by where the answer was.", ("found",), **given
        )
        live: Any = {**given, "multiprocess_mode": "livesum"}
        self.waiting = Gauge("queue_waiting", "Pieces of work that wait for a thread.", **live)
        self.running = Gauge("queue_running", "Pieces of work that threads do.", **live)
        self.streams = Gauge("batch_streams", "Batches under way.", **live)

    def request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """A request was answered (status 0: it was not, the client had gone)."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_s.labels(route).observe(duration_s)

    def stage(self, name: str) -> AbstractContextManager[Any]:
        """Measures the block as one of `STAGES`."""
        return self._stages[name].time()

    def waited(self, duration_s: float) -> None:
        """A piece of work waited for a thread."""
        self._stages["wait"].observe(duration_s)

    def predicted(self, latency_ms: float, coverage: Mapping[str, float]) -> None:
        """A prediction was made; ``coverage`` are the shares of its sources."""
        self._predictions.labels("answered").inc()
        for source in ("table", "regressor", "roofline"):
            self._latency.labels(source).inc(latency_ms / 1e3 * coverage[source])

    def refused(self) -> None:
        """A prediction could not be made."""
        self._predictions.labels("refused").inc()

    def estimated(self, remembered: int, computed: int) -> None:
        """Estimates of kernels were found in memory, or not."""
        self._estimates.labels("memory").inc(remembered)
        self._estimates.labels("regressors").inc(computed)

    @staticmethod
    def jobs_text(counts: Mapping[str, int]) -> bytes:
        """Numbers of durable jobs by state, which are the database's and not this process's."""
        jobs = GaugeMetricFamily("archgauge_jobs", "Durable jobs by state.", labels=("state",))
        for state in ("queued", "running", "succeeded", "failed", "cancelled"):
            jobs.add_metric((state,), counts.get(state, 0))
        registry = CollectorRegistry()
        registry.register(_Given((jobs,)))
        return generate_latest(registry)

    def text(self) -> bytes:
        """The exposition."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        _forget_the_dead(Path(os.environ[SHARED_FOLDER]))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class _Given(Collector):
    """Numbers that are known already, which no process counts."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _forget_the_dead(folder: Path) -> None:
    """What processes that ended had under way is not under way any more; what they counted stays counted."""
    for file in folder.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue
