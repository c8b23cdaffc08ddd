"""Search spaces through the clients: ``client.spaces.compile("ofa-mobilenet-v3")`` and so on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from archgauge_client._protocol import answer
from archgauge_client.wire_spaces import RowPredictions, RowsRequest, SearchSpace, SearchSpaceList, SearchSpaceRequest

if TYPE_CHECKING:
    from archgauge_client.client import AsyncClient, Client

#: How often to look whether a space is compiled.
_LOOK_EVERY_S = 1.0
_PATH = "/v1/search-spaces"
_JSON = {"content-type": "application/json"}


def _request(
    space: str | Mapping[str, Any], restrict: Mapping[str, Sequence[str]], batch_size: int | None,
    dims: Mapping[str, int], target: str | None, predictor: str | None,
) -> bytes:  # fmt: skip
    request = SearchSpaceRequest(
        name=space if isinstance(space, str) else None,
        space=None if isinstance(space, str) else dict(space),
        restrict={layer: list(choices) for layer, choices in restrict.items()},
        batch_size=batch_size,
        dims=dict(dims),
        target=target,
        predictor=predictor,
    )
    return request.model_dump_json().encode()


def _rows(choices: Sequence[Sequence[int]], target: str | None, predictor: str | None, confidence: float) -> bytes:
    rows = [[int(choice) for choice in row] for row in choices]
    request = RowsRequest(choices=rows, target=target, predictor=predictor, confidence=confidence)
    return request.model_dump_json().encode()


def _path(space: str, below: str = "") -> str:
    return f"{_PATH}/{quote(space, safe='')}{below}"


def _where(target: str | None, predictor: str | None) -> dict[str, str]:
    return {name: value for name, value in (("target", target), ("predictor", predictor)) if value is not None}


class SearchSpaces:
    """What a `Client` can do with search spaces. Raises what its other methods raise."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> SearchSpaceList:
        """Ready spaces, and those that were sent."""
        return answer(self._client._request("GET", _PATH), SearchSpaceList)

    def compile(
        self,
        space: str | Mapping[str, Any],
        *,
        restrict: Mapping[str, Sequence[str]] = {},
        batch_size: int | None = None,
        dims: Mapping[str, int] = {},
        target: str | None = None,
        predictor: str | None = None,
        wait_s: float = 1800.0,
    ) -> SearchSpace:
        """Compile a ready space (by name) or a described one, and wait for it at most ``wait_s``.

        The answer's ``status`` is ``compiling`` if that was not enough.
        """
        body = _request(space, restrict, batch_size, dims, target, predictor)
        found = answer(self._client._request("POST", _PATH, content=body, headers=_JSON), SearchSpace)
        end = time.monotonic() + wait_s
        while found.status != "ready" and time.monotonic() < end:
            time.sleep(_LOOK_EVERY_S)
            found = self.get(found.id, target=found.target, predictor=found.predictor)
        return found

    def get(self, space: str, *, target: str | None = None, predictor: str | None = None) -> SearchSpace:
        """A space by its id, or a ready one by its name."""
        return answer(self._client._request("GET", _path(space), params=_where(target, predictor)), SearchSpace)

    def predict(
        self,
        space: str,
        choices: Sequence[Sequence[int]],
        *,
        target: str | None = None,
        predictor: str | None = None,
        confidence: float = 0.9,
    ) -> RowPredictions:
        """What architectures cost, one row of positions each; anything with rows will do, arrays too."""
        body = _rows(choices, target, predictor, confidence)
        path = _path(space, "/predictions")
        return answer(self._client._request("POST", path, content=body, headers=_JSON), RowPredictions)


class AsyncSearchSpaces:
    """`SearchSpaces` with ``await``."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self) -> SearchSpaceList:
        """See `SearchSpaces.list`."""
        return answer(await self._client._request("GET", _PATH), SearchSpaceList)

    async def compile(
        self,
        space: str | Mapping[str, Any],
        *,
        restrict: Mapping[str, Sequence[str]] = {},
        batch_size: int | None = None,
        dims: Mapping[str, int] = {},
        target: str | None = None,
        predictor: str | None = None,
        wait_s: float = 1800.0,
    ) -> SearchSpace:
        """See `SearchSpaces.compile`."""
        body = _request(space, restrict, batch_size, dims, target, predictor)
        found = answer(await self._client._request("POST", _PATH, content=body, headers=_JSON), SearchSpace)
        end = time.monotonic() + wait_s
        while found.status != "ready" and time.monotonic() < end:
            await asyncio.sleep(_LOOK_EVERY_S)
            found = await self.get(found.id, target=found.target, predictor=found.predictor)
        return found

    async def get(self, space: str, *, target: str | None = None, predictor: str | None = None) -> SearchSpace:
        """See `SearchSpaces.get`."""
        response = await self._client._request("GET", _path(space), params=_where(target, predictor))
        return answer(response, SearchSpace)

    async def predict(
        self,
        space: str,
        choices: Sequence[Sequence[int]],
        *,
        target: str | None = None,
        predictor: str | None = None,
        confidence: float = 0.9,
    ) -> RowPredictions:
        """See `SearchSpaces.predict`."""
        body = _rows(choices, target, predictor, confidence)
        response = await self._client._request("POST", _path(space, "/predictions"), content=body, headers=_JSON)
        return answer(response, RowPredictions)
