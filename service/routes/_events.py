"""What happened, as a stream of server-sent events that goes on until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
from starlette.responses import StreamingResponse

from service.db import JobEvent
from service.routes.targets import timestamp
from service.state import Service

#: Seconds between looks at the database, and after which a silent stream shows that it lives.
_LOOK_EVERY_S = 0.25
_SIGN_OF_LIFE_S = 15.0

#: Whether it is over, and what happened since an event.
Read = Callable[[int], tuple[bool, Sequence[JobEvent]]]


def event_stream_answer(what: str, example: str) -> dict[int | str, dict[str, Any]]:
    """How an endpoint with a stream about ``what`` describes its answer."""
    return {
        200: {
            "description": f"Server-sent events until the {what} is over",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": example}},
        }
    }


async def event_stream(service: Service, read: Read, after: int) -> StreamingResponse:
    """Everything after an event; ``read`` raises before the stream begins where there is nothing to follow."""
    await asyncio.to_thread(read, after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(service, read, after), media_type="text/event-stream", headers=headers)


async def _events(service: Service, read: Read, after: int) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    loop = asyncio.get_running_loop()
    spoken_at = loop.time()
    while not service.stopping.asked:
        over, events = await asyncio.to_thread(read, after)
        for event in events:
            after, spoken_at = event.id, loop.time()
            yield _frame(event)
        if over:
            return
        if loop.time() - spoken_at > _SIGN_OF_LIFE_S:
            spoken_at = loop.time()
            yield b": still there\n\n"
        await asyncio.sleep(_LOOK_EVERY_S)


def _frame(event: JobEvent) -> bytes:
    """An event as HTML's server-sent events write it; JSON has no line breaks."""
    data = orjson.dumps({"at": timestamp(event.at), **event.data})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), data)
