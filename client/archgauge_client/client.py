"""The clients: one blocking, one asynchronous, with the same methods."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from archgauge_client import _batches
from archgauge_client._batches import Chunk, Options, Outcome, Question
from archgauge_client._protocol import (
    Model,
    answer,
    prediction_path,
    prediction_request,
    table_parameters,
    table_path,
)
from archgauge_client.agents import Agents, Campaigns
from archgauge_client.errors import ServiceUnreachable
from archgauge_client.latency_table import LatencyTable
from archgauge_client.retries import RETRIED, RetryPolicy
from archgauge_client.spaces import AsyncSearchSpaces, SearchSpaces
from archgauge_client.wire import Detail, Health, PredictionRequest, PredictionResponse, Target, TargetList

DEFAULT_TIMEOUT_S = 30.0
DEFAULT_RETRIES = RetryPolicy()
_JSON = {"content-type": "application/json"}


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {"accept": "application/json", "user-agent": "archgauge-client"}
    if api_key is not None:
        headers["authorization"] = f"Bearer {api_key}"
    return headers


class Client:
    """A blocking client; use it as a context manager, and from as many threads as you like.

    Every request can be repeated without harm, so connection errors, 429 and 503 are retried as ``retries`` says.

    Raises (all methods):
        ProblemError: the service refused or failed; see `archgauge_client.errors` for its kinds.
        ServiceUnreachable: no answer.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: RetryPolicy = DEFAULT_RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, headers=_headers(api_key), timeout=timeout_s, transport=transport)
        self._retries = retries
        #: Search spaces: compile them, price rows of choices.
        self.spaces = SearchSpaces(self)
        #: Devices that measure, and what is to be measured.
        self.agents = Agents(self)
        self.campaigns = Campaigns(self)

    def predict(
        self,
        model: Model,
        *,
        targets: str | Sequence[str] = (),
        predictor: str | None = None,
        batch_size: int | None = None,
        dims: Mapping[str, int] = {},
        input_shapes: Mapping[str, Sequence[int]] = {},
        detail: Detail = "summary",
        confidence: float = 0.9,
        strict: bool = True,
    ) -> PredictionResponse:
        """What ``model`` (a file, its bytes or a JSON graph) will cost. Weights are stripped before sending.

        ``targets`` are ids or aliases; without any, the target promoted last answers. The other arguments are the
        fields of `archgauge_client.wire.PredictionRequest`.

        Raises:
            NotAModel: neither ONNX nor a JSON graph.
            UnpriceableArchitecture: with ``strict``, when no source can price some operators.
        """
        return self.send(
            prediction_request(model, targets, predictor, batch_size, dims, input_shapes, detail, confidence, strict)
        )

    def send(self, request: PredictionRequest) -> PredictionResponse:
        """The answer to a request that was made before."""
        body = request.model_dump_json().encode()
        return answer(self._request("POST", "/v1/predictions", content=body, headers=_JSON), PredictionResponse)

    def predict_many(
        self, models: Iterable[Question], *, in_flight: int = 2, **options: Unpack[Options]
    ) -> Iterator[Outcome]:
        """What many models will cost, one after another in order, while later ones are under way.

        ``models`` may go on for ever; it is read a little ahead of what is taken. Each has one outcome, or one for each
        of ``batch_sizes``: the answer, or in its place the `ProblemError` that `predict` would have raised. Answers are
        not kept by the service unless ``store`` is given. ``in_flight`` requests are made at a time.

        Raises:
            NotAModel: one is neither ONNX nor a JSON graph; those before it were answered.
        """
        under_way: deque[Future[Chunk]] = deque()
        with ThreadPoolExecutor(in_flight, thread_name_prefix="archgauge") as pool:
            try:
                for chunk in _batches.chunks(models, options):
                    under_way.append(pool.submit(self._send_chunk, chunk))
                    if len(under_way) >= in_flight:
                        yield from under_way.popleft().result().outcomes
                while under_way:
                    yield from under_way.popleft().result().outcomes
            finally:
                for future in under_way:
                    future.cancel()

    def _send_chunk(self, chunk: Chunk) -> Chunk:
        attempt = 0
        while not chunk.complete:
            attempt += 1
            response = self._request("POST", _batches.PATH, content=chunk.rest(), headers=_batches.HEADERS)
            if not response.is_success:
                answer(response, PredictionResponse)  # raises what it reports
            if chunk.take(response):
                attempt = 0
            elif not chunk.complete:
                time.sleep(_after_interruption(self._retries, attempt, chunk))
        return chunk

    def latency_table(self, space: str, fixed: Mapping[str, str] = {}, target: str | None = None) -> LatencyTable:
        """What every choice of a compiled search space adds, with some layers ``fixed`` to a choice.

        Raises:
            NotFound: no space has that id.
        """
        path, parameters = table_path(space), table_parameters(fixed, target)
        return answer(self._request("GET", path, params=parameters), LatencyTable)

    def prediction(self, prediction_id: str) -> PredictionResponse:
        """A stored prediction."""
        return answer(self._request("GET", prediction_path(prediction_id)), PredictionResponse)

    def targets(self) -> list[Target]:
        """What can be asked for, the target promoted last first."""
        return answer(self._request("GET", "/v1/targets"), TargetList).targets

    def health(self) -> Health:
        """Whether the service can answer. One that cannot raises `Overloaded`, whose problem lists the checks."""
        return answer(self._request("GET", "/readyz", retry=False), Health)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, method: str, path: str, *, retry: bool = True, **kwargs: Any) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._http.request(method, path, **kwargs)
            except httpx.TransportError as error:
                delay_s = _after_failure(self._retries, attempt, error) if retry else None
                if delay_s is None:
                    raise _unreachable(self._http.base_url, error) from error
            else:
                delay_s = _after_response(self._retries, attempt, response) if retry else None
                if delay_s is None:
                    return response
            time.sleep(delay_s)


class AsyncClient:
    """The asynchronous client: `Client` with ``await``."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: RetryPolicy = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=_headers(api_key), timeout=timeout_s, transport=transport
        )
        self._retries = retries
        #: Search spaces: compile them, price rows of choices.
        self.spaces = AsyncSearchSpaces(self)

    async def predict(
        self,
        model: Model,
        *,
        targets: str | Sequence[str] = (),
        predictor: str | None = None,
        batch_size: int | None = None,
        dims: Mapping[str, int] = {},
        input_shapes: Mapping[str, Sequence[int]] = {},
        detail: Detail = "summary",
        confidence: float = 0.9,
        strict: bool = True,
    ) -> PredictionResponse:
        """See `Client.predict`. Reading and stripping the file happens in a thread."""
        return await self.send(
            await asyncio.to_thread(
                prediction_request,
                model, targets, predictor, batch_size, dims, input_shapes, detail, confidence, strict,
            )
        )  # fmt: skip

    async def send(self, request: PredictionRequest) -> PredictionResponse:
        """See `Client.send`."""
        body = request.model_dump_json().encode()
        return answer(await self._request("POST", "/v1/predictions", content=body, headers=_JSON), PredictionResponse)

    async def predict_many(
        self, models: Iterable[Question], *, in_flight: int = 2, **options: Unpack[Options]
    ) -> AsyncIterator[Outcome]:
        """See `Client.predict_many`. Files are read and stripped in a thread."""
        under_way: deque[asyncio.Task[Chunk]] = deque()
        made = _batches.chunks(models, options)
        try:
            while (chunk := await asyncio.to_thread(next, made, None)) is not None:
                under_way.append(asyncio.create_task(self._send_chunk(chunk)))
                if len(under_way) >= in_flight:
                    for outcome in (await under_way.popleft()).outcomes:
                        yield outcome
            while under_way:
                for outcome in (await under_way.popleft()).outcomes:
                    yield outcome
        finally:
            for task in under_way:
                task.cancel()

    async def _send_chunk(self, chunk: Chunk) -> Chunk:
        attempt = 0
        while not chunk.complete:
            attempt += 1
            response = await self._request("POST", _batches.PATH, content=chunk.rest(), headers=_batches.HEADERS)
            if not response.is_success:
                answer(response, PredictionResponse)  # raises what it reports
            if chunk.take(response):
                attempt = 0
            elif not chunk.complete:
                await asyncio.sleep(_after_interruption(self._retries, attempt, chunk))
        return chunk

    async def latency_table(self, space: str, fixed: Mapping[str, str] = {}, target: str | None = None) -> LatencyTable:
        """See `Client.latency_table`."""
        path, parameters = table_path(space), table_parameters(fixed, target)
        return answer(await self._request("GET", path, params=parameters), LatencyTable)

    async def prediction(self, prediction_id: str) -> PredictionResponse:
        """See `Client.prediction`."""
        return answer(await self._request("GET", prediction_path(prediction_id)), PredictionResponse)

    async def targets(self) -> list[Target]:
        """See `Client.targets`."""
        return answer(await self._request("GET", "/v1/targets"), TargetList).targets

    async def health(self) -> Health:
        """See `Client.health`."""
        return answer(await self._request("GET", "/readyz", retry=False), Health)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _request(self, method: str, path: str, *, retry: bool = True, **kwargs: Any) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await self._http.request(method, path, **kwargs)
            except httpx.TransportError as error:
                delay_s = _after_failure(self._retries, attempt, error) if retry else None
                if delay_s is None:
                    raise _unreachable(self._http.base_url, error) from error
            else:
                delay_s = _after_response(self._retries, attempt, response) if retry else None
                if delay_s is None:
                    return response
            await asyncio.sleep(delay_s)


def _after_response(retries: RetryPolicy, attempt: int, response: httpx.Response) -> float | None:
    if response.status_code not in RETRIED:
        return None
    return retries.delay_s(attempt, response.headers.get("retry-after"))


def _after_failure(retries: RetryPolicy, attempt: int, error: httpx.TransportError) -> float | None:
    """A service that took too long would take too long again; a broken connection is worth another try."""
    broken = isinstance(error, httpx.ConnectError | httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError)
    return retries.delay_s(attempt) if broken else None


def _after_interruption(retries: RetryPolicy, attempt: int, chunk: Chunk) -> float:
    """Seconds to wait before the rest of a chunk is sent again; raises when patience ends."""
    delay_s = retries.delay_s(attempt)
    if delay_s is None:
        raise chunk.interruption or ServiceUnreachable("the answer to a batch broke off again and again")
    return delay_s


def _unreachable(base_url: httpx.URL, error: httpx.TransportError) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"no answer from {base_url}: {type(error).__name__}: {error}. Does the service run there?"
    )
