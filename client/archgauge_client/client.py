"""The clients: one blocking, one asynchronous, with the same methods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from archgauge_client._protocol import Model, answer, prediction_path, prediction_request
from archgauge_client.errors import ServiceUnreachable
from archgauge_client.retries import RETRIED, RetryPolicy
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


def _unreachable(base_url: httpx.URL, error: httpx.TransportError) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"no answer from {base_url}: {type(error).__name__}: {error}. Does the service run there?"
    )
