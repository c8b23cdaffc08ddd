"""Reading request bodies."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.errors import SlowBody, UnsupportedMedia
from service.requests import invalid

#: What NDJSON is called.
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines")

_Model = TypeVar("_Model", bound=BaseModel)


async def read_json(request: Request, limit_s: float) -> bytes:
    """The bytes of a JSON body, not yet parsed.

    Raises:
        UnsupportedMedia: it says that it is something else.
        SlowBody: it did not arrive within the limit.
    """
    given = media_type(request)
    if given not in ("", "application/json") and not given.endswith("+json"):
        raise UnsupportedMedia(f"this endpoint takes application/json, not {given}")
    return await _read(request, limit_s)


async def read_model(request: Request, model: type[_Model], limit_s: float, *, empty: bool = False) -> _Model:
    """A JSON body as a request of the API; where it may be ``empty``, that stands for all defaults.

    Raises:
        MalformedJson, InvalidRequest: it is not one.
        UnsupportedMedia, SlowBody: as `read_json`.
    """
    data = await read_json(request, limit_s)
    try:
        return model.model_validate_json(data or b"{}" if empty else data, strict=True)
    except ValidationError as error:
        raise invalid(error) from None


async def read_onnx(request: Request, limit_s: float) -> bytes:
    """The bytes of an ONNX body. Most content types pass, since tools that send a file make one up."""
    given = media_type(request)
    if given == "application/json" or given.startswith("multipart/"):
        raise UnsupportedMedia(
            f"the body must be the ONNX file itself (application/octet-stream), not {given}; "
            "POST /v1/predictions takes JSON"
        )
    return await _read(request, limit_s)


def check_lines(request: Request) -> None:
    """Raises UnsupportedMedia for a body that says to be neither NDJSON nor JSON."""
    given = media_type(request)
    if given not in ("", *LINES, "application/json", "text/plain"):
        raise UnsupportedMedia(f"this endpoint takes application/x-ndjson or application/json, not {given}")


async def read_bytes(request: Request, limit_s: float) -> bytes:
    """The bytes of a body of any type. Raises SlowBody."""
    return await _read(request, limit_s)


def media_type(request: Request) -> str:
    """What a body says to be, in lower case and without parameters; empty where it says nothing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: Request, limit_s: float) -> bytes:
    try:
        async with asyncio.timeout(limit_s):
            return await request.body()
    except TimeoutError:
        raise SlowBody(f"the body did not arrive within {limit_s:g} s") from None
