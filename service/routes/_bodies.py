"""Reading request bodies."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.answers import invalid
from service.errors import SlowBody, UnsupportedMedia

#: What NDJSON is called.
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines")

_Model = TypeVar("_Model", bound=BaseModel)


async def read_json(request: Request, limit_s: float) -> bytes:
    """The bytes of a JSON body, not yet parsed.

    Raises:
        UnsupportedMedia: it says that it is something else.
        SlowBody: it did not arrive within the limit.
    """
    media_type = _media_type(request)
    if media_type not in ("", "application/json") and not media_type.endswith("+json"):
        raise UnsupportedMedia(f"this endpoint takes application/json, not {media_type}")
    return await _read(request, limit_s)


async def read_model(request: Request, model: type[_Model], limit_s: float, *, empty: bool = False) -> _Model:
    """A JSON body as a request of the API; where it may be ``empty``, that stands for all defaults.

    Raises:
        MalformedJson, InvalidRequest: it is not one.
        UnsupportedMedia, SlowBody: as `read_json`.
    """
    data = await read_json(request, limit_s)
    try:
        return model.model_validate_json(data or b"{}" if empty else data)
    except ValidationError as error:
        raise invalid(error) from None


async def read_onnx(request: Request, limit_s: float) -> bytes:
    """The bytes of an ONNX body. Most content types pass, since tools that send a file make one up."""
    media_type = _media_type(request)
    if media_type == "application/json" or media_type.startswith("multipart/"):
        raise UnsupportedMedia(
            f"the body must be the ONNX file itself (application/octet-stream), not {media_type}; "
            "POST /v1/predictions takes JSON"
        )
    return await _read(request, limit_s)


def check_lines(request: Request) -> None:
    """Raises UnsupportedMedia for a body that says to be neither NDJSON nor JSON."""
    media_type = _media_type(request)
    if media_type not in ("", *LINES, "application/json", "text/plain"):
        raise UnsupportedMedia(f"this endpoint takes application/x-ndjson or application/json, not {media_type}")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: Request, limit_s: float) -> bytes:
    try:
        async with asyncio.timeout(limit_s):
            return await request.body()
    except TimeoutError:
        raise SlowBody(f"the body did not arrive within {limit_s:g} s") from None
