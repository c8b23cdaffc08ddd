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

#: Bytes that are decompressed at a time.
_PIECE = 256 * 1024


class BodyLimit:
    """ASGI middleware that limits request bodies to ``limit`` bytes and decompresses gzip.

    Paths that are ``endless`` take bodies of any length; what reads them limits its parts.
    """

    def __init__(self, app: ASGIApp, limit: int, endless: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._limit = limit
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = None if scope["path"] in self._endless else self._limit
        try:
            encoding = _encoding(headers)
            if limit is not None:
                _check_announced(headers, limit)
        except ServiceError as error:
            response = problem_response(error, scope["path"])
            response.headers["Connection"] = "close"  # the body that is not wanted may still be under way
            await response(scope, receive, send)
            return
        if encoding == "gzip":
            dropped = (b"content-encoding", b"content-length")
            scope["headers"] = [(k, v) for k, v in scope["headers"] if k not in dropped]
            receive = _Gunzip(_Counted(receive, limit))
        await self._app(scope, _Counted(receive, limit), send)


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
    """Receives no more than ``limit`` bytes; any number without one."""

    def __init__(self, receive: Receive, limit: int | None) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and self._limit is not None:
            self._seen += len(message.get("body", b""))
            if self._seen > self._limit:
                raise _too_large(self._limit)
        return message


class _Gunzip:
    """Receives what the gzip members of a body hold, piece by piece, however much a few bytes may become."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False
        #: What was received and is not decompressed yet; whether more will come.
        self._rest = b""
        self._more = True
        #: The last piece was cut off, so that there may be more without any further byte.
        self._full = False

    async def __call__(self) -> Message:
        if not (self._rest or self._full) and self._more:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._rest, self._more = message.get("body", b""), message.get("more_body", False)
        elif not (self._rest or self._full):
            return await self._receive()
        body = self._piece()
        more = self._more or self._full or bool(self._rest)
        if not more and self._begun and not self._member.eof:
            raise MalformedBody("the gzip body ends too early")
        return {"type": "http.request", "body": body, "more_body": more}

    def _piece(self) -> bytes:
        if not (self._rest or self._full):
            return b""
        if self._member.eof:
            self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = True
        try:
            piece = self._member.decompress(self._rest, _PIECE)
        except zlib.error as error:
            raise MalformedBody(f"the body is not gzip: {error}") from error
        self._full = len(piece) == _PIECE and not self._member.eof
        self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return piece
