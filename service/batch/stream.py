"""The response to a batch: it reads the request while it answers it.

Three things go on at a time: `Inbox` reads requests, threads price windows of them, and `_Outbox` sends lines. Each
waits for the next one when that is behind, so that a stream without end needs no more memory than a short one.
"""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.batch.inbox import Inbox
from service.batch.splitting import Item
from service.batch.windows import TOGETHER, Window, problem_line
from service.errors import ClientGone, Stopping
from service.rates import Allowance
from service.state import Service

MEDIA_TYPE = "application/x-ndjson"

#: Answers that may wait for a client which sends everything before it reads anything.
_UNSENT_BYTES = 8 * 1024 * 1024

#: A body that says it is no longer than this is answered to its end, also by a process that is about to end.
_SHORT_BYTES = 8 * 1024 * 1024

#: How often a stream that waits for its client looks whether the process is about to end.
_LOOK_S = 0.5


class BatchStream(Response):
    """Answers a batch within the ``allowance`` of who sent it."""

    media_type = MEDIA_TYPE

    def __init__(self, service: Service, allowance: Allowance) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["X-Accel-Buffering"] = "no"  # proxies shall pass lines on as they come
        self._service = service
        self._allowance = allowance
        self._short = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._service.settings
        inbox = Inbox(settings.max_body_bytes, TOGETHER, settings.request_time_limit_s)
        length = Headers(scope=scope).get("content-length", "")
        self._short = length.isdecimal() and int(length) <= _SHORT_BYTES
        outbox = _Outbox(send)
        async with self._service.batches:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            self._service.metrics.streams.inc()
            answering = asyncio.create_task(self._answer(inbox, outbox))
            sending = asyncio.create_task(outbox.empty())
            tasks = [answering, sending, asyncio.create_task(inbox.fill(receive))]
            try:
                for task in (await asyncio.wait([answering, sending], return_when=asyncio.FIRST_COMPLETED))[0]:
                    task.result()
            except ClientGone:
                pass  # nobody is there to be told
            finally:
                self._service.metrics.streams.dec()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, inbox: Inbox, outbox: _Outbox) -> None:
        """Window after window, until all is sent; the last line says what ended the stream if that was not its end."""
        service, index = self._service, 0
        try:
            while items := await self._next(inbox):
                deadline = inbox.deadline(service.settings.request_time_limit_s)
                lines = await service.workers.run_patiently(Window(service.engine, items, index), deadline)
                await service.recorder.record(*(line.record for line in lines if line.record is not None))
                await outbox.put(b"".join(line.text for line in lines))
                index += len(items)
                await asyncio.sleep(self._allowance.spend(len(lines)))
        except ClientGone:
            raise
        except Exception as error:
            await outbox.put(problem_line(error, {"index": index}).text)
        await outbox.close()

    async def _next(self, inbox: Inbox) -> list[Item]:
        taking = asyncio.ensure_future(inbox.take())
        try:
            while not taking.done():
                if self._service.stopping.asked and not (self._short or inbox.complete):
                    raise Stopping("the process is about to end; send the rest of the batch again")
                await asyncio.wait([taking], timeout=_LOOK_S)
            return taking.result()
        finally:
            taking.cancel()


class _Outbox:
    """Lines on their way to the client."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._changed = asyncio.Condition()

    async def put(self, text: bytes) -> None:
        """Wait until there is room for ``text``."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < _UNSENT_BYTES)
            self._lines.append(text)
            self._size += len(text)
            self._changed.notify_all()

    async def empty(self) -> None:
        """Send whatever there is, for ever."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._lines))
                text = b"".join(self._lines)
                self._lines.clear()
            await self._send({"type": "http.response.body", "body": text, "more_body": True})
            async with self._changed:
                self._size -= len(text)
                self._changed.notify_all()

    async def close(self) -> None:
        """Wait until everything is sent, then end the response."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size == 0)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
