"""A connection of a simulated agent. A client library's pool of a thousand of them costs more than the server."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson


class Connection:
    """HTTP/1.1, one request after the other; connected anew when the server hung up meanwhile."""

    def __init__(self, port: int, headers: str = "") -> None:
        """``headers`` are lines that every request has, each with its line break."""
        self._port = port
        self._headers = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON of an answer. Raises OSError where the connection breaks."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        for is_last in (self._reader is None, True):  # the server may have hung up as we began
            try:
                return await self._send(head.encode() + body)
            except (asyncio.IncompleteReadError, OSError) as error:
                self.close()
                if is_last:
                    raise ConnectionResetError(f"the server hung up: {error}") from error
        raise AssertionError("unreachable")

    async def _send(self, request: bytes) -> tuple[int, Any]:
        if self._reader is None or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._writer is not None
        self._writer.write(request)
        status, length = _read_head(await self._reader.readuntil(b"\r\n\r\n"))
        return status, orjson.loads(await self._reader.readexactly(length))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _read_head(head: bytes) -> tuple[int, int]:
    """Status, and how long the body is."""
    first, *lines = head.decode("latin-1").split("\r\n")
    length = next(line for line in lines if line.lower().startswith("content-length:"))
    return int(first.split()[1]), int(length.partition(":")[2])
