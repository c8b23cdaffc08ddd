"""Mixed load at a pace, from clients that check every answer."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from benchmarks.robustness.answers import Expected, alike
from benchmarks.robustness.tally import Tally

_CLIENTS = 12
_TIMEOUT_S = 60.0
_BATCH = 8
#: What fell behind by more than this is not made up for.
_BACKLOG_S = 1.0
_JSON = {"content-type": "application/json"}
_LOOKS = ("/v1/targets", "/v1/predictors", "/v1/jobs", "/v1/search-spaces", "/metrics", "/")


class Load:
    """Clients of several replicas; where one cannot be reached, they ask another, as a proxy would.

    ``graphs`` are bodies of `POST /v1/predictions`, ``files`` the same networks as ONNX files.
    """

    def __init__(
        self, urls: Sequence[str], token: str, graphs: Sequence[bytes], files: Sequence[bytes], space: str,
        expected: Expected,
    ) -> None:  # fmt: skip
        self.tally = Tally()
        #: Requests per second, all clients together.
        self.rate = float("inf")
        self._urls, self._token = urls, token
        self._graphs, self._files, self._space, self._expected = graphs, files, space, expected
        self._lines = [json.dumps(json.loads(body) | {"store": False}).encode() + b"\n" for body in graphs]
        self._rows = json.dumps({"choices": expected.rows}).encode()
        self._over, self._lock, self._due = threading.Event(), threading.Lock(), time.monotonic()
        #: Requests so far.
        self.sent = 0
        self._pool = ThreadPoolExecutor(_CLIENTS)
        self._running: list[Future[None]] = []

    def start(self) -> None:
        self._running = [self._pool.submit(self._run, number) for number in range(_CLIENTS)]

    def finish(self) -> None:
        """Raises what ended a client before its time."""
        self._over.set()
        for client in self._running:
            client.result()

    def _run(self, number: int) -> None:
        client = _Client(self._urls, self._token, self.tally, number)
        rng = random.Random(number)
        kinds: dict[Callable[[_Client, random.Random], None], int] = {
            self._graph: 40, self._onnx: 20, self._fetch: 20, self._batch: 10, self._price_rows: 6, self._look: 3,
            self._key: 1,
        }  # fmt: skip
        while not self._over.is_set():
            self._wait()
            rng.choices(list(kinds), list(kinds.values()))[0](client, rng)
        client.close()

    def _wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            self.sent += 1
            self._due = due = max(self._due + 1 / self.rate, now - _BACKLOG_S)
        if due > now:
            self._over.wait(due - now)

    def _graph(self, client: _Client, rng: random.Random) -> None:
        index = rng.randrange(len(self._graphs))
        began, response = client.ask("graph", "POST", "/v1/predictions", self._graphs[index], _JSON)
        self._check(began, response, index)

    def _onnx(self, client: _Client, rng: random.Random) -> None:
        index = rng.randrange(len(self._files))
        headers = {"content-type": "application/octet-stream"}
        began, response = client.ask("onnx", "POST", "/v1/predictions/onnx", self._files[index], headers)
        self._check(began, response, index)

    def _check(self, began: float, response: httpx.Response | None, index: int) -> None:
        if response is None:
            return
        answer = response.json()
        with self.tally.lock:
            self.tally.keep(answer["id"], response.content)
            self._compare(began, answer, index)

    def _compare(self, began: float, answer: dict[str, Any], index: int) -> None:
        told = answer["predictions"][0]
        version = told["provenance"]["predictor"]
        self.tally.made_by(version, began)
        expected = self._expected.predictions.get(version)
        if expected is None or not alike(expected[index], told):
            self.tally.wrong.append(f"network {index} by {version}: {told['latency_ms']}")

    def _fetch(self, client: _Client, rng: random.Random) -> None:
        with self.tally.lock:
            given = rng.choice(self.tally.ids) if self.tally.ids else None
        if given is None:
            return
        _, response = client.ask("fetch", "GET", f"/v1/predictions/{given}")
        with self.tally.lock:
            if response is not None and not self.tally.is_same(given, response.content):
                self.tally.wrong.append(f"prediction {given} came back as another")

    def _batch(self, client: _Client, rng: random.Random) -> None:
        indices = [rng.randrange(len(self._lines)) for _ in range(_BATCH)]
        body = b"".join(self._lines[index] for index in indices)
        began, response = client.ask("batch", "POST", "/v1/predictions/batch", body, {"content-type": "text/plain"})
        if response is None:
            return
        answers = [json.loads(line) for line in response.text.splitlines()]
        with self.tally.lock:
            if [answer["index"] for answer in answers] != list(range(_BATCH)):
                self.tally.wrong.append(f"{len(answers)} answers to {_BATCH} requests, the last: {answers[-1:]}")
            for index, answer in zip(indices, answers, strict=False):
                if self.tally.status("line of a batch", answer.get("status", 200), json.dumps(answer)):
                    self._compare(began, answer, index)

    def _price_rows(self, client: _Client, rng: random.Random) -> None:
        path = f"/v1/search-spaces/{self._space}/predictions"
        _, response = client.ask("rows", "POST", path, self._rows, _JSON)
        if response is not None:
            answer = response.json()
            expected = self._expected.rows_ms.get(answer["predictor"])
            if expected is None or not alike(expected, answer["latency_ms"]["value"]):
                with self.tally.lock:
                    self.tally.wrong.append(f"rows by {answer['predictor']}")

    def _look(self, client: _Client, rng: random.Random) -> None:
        client.ask("look", "GET", rng.choice(_LOOKS))

    def _key(self, client: _Client, rng: random.Random) -> None:
        body = json.dumps({"name": f"search {rng.randrange(10**9)}", "expires_in_days": 1}).encode()
        _, response = client.ask("key", "POST", "/v1/keys", body, _JSON)
        if response is not None:
            with self.tally.lock:
                self.tally.keys.append(response.json()["id"])


class _Client:
    """One connection to each replica, in turn."""

    def __init__(self, urls: Sequence[str], token: str, tally: Tally, number: int) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self._clients = [httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S) for url in urls]
        self._tally = tally
        self._turn = number

    def ask(
        self, kind: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[float, httpx.Response | None]:
        """When it was sent, and the answer if it succeeded; everything else is counted."""
        self._turn += 1
        for attempt in range(len(self._clients)):
            client = self._clients[(self._turn + attempt) % len(self._clients)]
            began = time.monotonic()
            try:
                response = client.request(method, path, content=body, headers=headers)
            except httpx.TransportError:
                with self._tally.lock:
                    self._tally.elsewhere += 1
                continue
            with self._tally.lock:
                self._tally.seconds[kind].append(time.monotonic() - began)
                good = self._tally.status(kind, response.status_code, response.text)
            return began, response if good else None
        with self._tally.lock:
            self._tally.nobody += 1
        return time.monotonic(), None

    def close(self) -> None:
        for client in self._clients:
            client.close()
