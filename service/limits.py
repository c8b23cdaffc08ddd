"""Limits on what a request may cost before it is understood: bytes of its body, compressed and not.

Bodies are counted while they arrive, so a wrong or missing Content-Length changes nothing. gzip is accepted and
decompressed step by step under the same limit; a bomb is noticed after at most that many bytes. Endpoints read raw
bodies (`Request.body`); the errors below pass through that unchanged.
"""

from __future__ import annotations

import zlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge, MalformedBody, ServiceError, UnsupportedMedia
from service.problems import problem_response

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class BodyLimit:
    """ASGI middleware that limits request bodies to ``limit`` bytes and decompresses gzip."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            encoding = _encoding(headers)
            _check_announced(headers, self._limit)
        except ServiceError as error:
            response = problem_response(error, scope["path"])
            response.headers["Connection"] = "close"  # the body that is not wanted may still be under way
            await response(scope, receive, send)
            return
        if encoding == "gzip":
            dropped = (b"content-encoding", b"content-length")
            scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k not in dropped]}
            receive = _Gunzip(_Counted(receive, self._limit), self._limit)
        else:
            receive = _Counted(receive, self._limit)
        await self._app(scope, receive, send)


def _encoding(headers: Headers) -> str:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise UnsupportedMedia(
            f"bodies may be sent as they are or with gzip, not with {encoding!r}", accept_encoding="gzip, identity"
        )
    return encoding


def _check_announced(headers: Headers, limit: int) -> None:
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"a body may have {limit:,} bytes, also after decompression. Weights are not needed: archgauge-client strips "
        "them from ONNX files before sending",
        limit,
    )


class _Counted:
    """Receives no more than ``limit`` bytes."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > self._limit:
                raise _too_large(self._limit)
        return message


class _Gunzip:
    """Receives what the gzip members of a body hold, no more than ``limit`` bytes of it."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body = self._decompress(message.get("body", b""))
        if not message.get("more_body", False) and self._begun and not self._member.eof:
            raise MalformedBody("the gzip body ends too early")
        return {**message, "body": body}

    def _decompress(self, data: bytes) -> bytes:
        parts = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._begun = True
            try:
                part = self._member.decompress(data, self._limit - self._seen + 1)
            except zlib.error as error:
                raise MalformedBody(f"the body is not gzip: {error}") from error
            parts.append(part)
            self._seen += len(part)
            if self._seen > self._limit:
                raise _too_large(self._limit)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return b"".join(parts)
