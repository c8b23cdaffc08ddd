"""Send many requests to a service process and watch it: statuses, times, memory, whether it lives."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import psutil

from benchmarks.processes import Part
from benchmarks.robustness.mutants import Mutant

#: Longer than any time limit of the service: what is not answered by then hangs.
PATIENCE_S = 120.0
_THREADS = 4
_WATCH_EVERY_S = 0.2


@dataclass
class Outcome:
    """What became of all requests."""

    #: Statuses by what was sent: ONNX or JSON.
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: {"ONNX": Counter(), "JSON": Counter()})
    #: Requests that were not answered, or with 5xx: (why, the request).
    failures: list[tuple[str, Mutant]] = field(default_factory=list)
    #: The slowest request: seconds, and what it was.
    slowest: tuple[float, str] = (0.0, "")
    #: Resident MiB of the service over time.
    resident: list[float] = field(default_factory=list)


def send(url: str, token: str, mutants: Iterable[Mutant], service: Part) -> Outcome:
    """Send them over a few connections at once; ``service`` is watched meanwhile."""
    outcome, lock, over = Outcome(), threading.Lock(), threading.Event()
    watching = threading.Thread(target=_watch, args=(service, outcome, over), daemon=True)
    watching.start()
    headers = {"authorization": f"Bearer {token}"}
    waiting = _Shared(iter(mutants))

    def work() -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
            for mutant in waiting:
                began = time.perf_counter()
                status = ask(client, mutant)
                took_s = time.perf_counter() - began
                with lock:
                    _note(outcome, mutant, status, took_s)

    with ThreadPoolExecutor(_THREADS) as pool:
        for done in [pool.submit(work) for _ in range(_THREADS)]:
            done.result()
    over.set()
    watching.join()
    return outcome


def ask(client: httpx.Client, mutant: Mutant) -> int | str:
    """The status (of a batch the highest of its lines), or what happened instead."""
    try:
        response = client.request(mutant.method, mutant.path, content=mutant.body, headers=mutant.headers)
    except httpx.HTTPError as error:
        return type(error).__name__
    if response.status_code == 200 and mutant.path.startswith("/v1/predictions/batch"):
        return max((json.loads(line).get("status", 200) for line in response.text.splitlines()), default=200)
    return response.status_code


def _note(outcome: Outcome, mutant: Mutant, status: int | str, took_s: float) -> None:
    if isinstance(status, int):
        outcome.statuses["ONNX" if mutant.origin.endswith(".onnx") else "JSON"][status] += 1
    if isinstance(status, str) or status >= 500:
        outcome.failures.append((str(status), mutant))
    outcome.slowest = max(outcome.slowest, (took_s, f"{mutant.origin}: {status}"))


def _watch(service: Part, outcome: Outcome, over: threading.Event) -> None:
    with suppress(psutil.NoSuchProcess):  # that it died will be noticed
        while not over.wait(_WATCH_EVERY_S):
            outcome.resident.append(service.resident_mib())


class _Shared(Iterator[Mutant]):
    """An iterator that several threads take from."""

    def __init__(self, source: Iterator[Mutant]) -> None:
        self._source = source
        self._lock = threading.Lock()

    def __next__(self) -> Mutant:
        with self._lock:
            return next(self._source)
