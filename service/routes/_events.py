"""What happened, or what a part of a page looks like now, as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import time
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
#: The same for parts of pages, and how long those are followed without asking again.
_LOOK_AGAIN_EVERY_S = 1.0
_LIVE_S = 300.0

#: Whether it is over, and what happened since an event.
Read = Callable[[int], tuple[bool, Sequence[JobEvent]]]
#: Whether it is over, and what is to be sent since the last look.
Look = Callable[[], tuple[bool, list[bytes]]]


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
    seen = after

    def look() -> tuple[bool, list[bytes]]:
        nonlocal seen
        over, events = read(seen)
        seen = events[-1].id if events else seen
        return over, [_frame(event) for event in events]

    return _response(_frames(service, look, _LOOK_EVERY_S))


def live_view(service: Service, view: Callable[[], tuple[bool, str]]) -> StreamingResponse:
    """A part of a page in HTML, now and whenever it changes, as events ``view``; ``over`` once it never will again.

    After `_LIVE_S` the stream ends all the same: browsers ask again, and show that they still may.
    """
    end, shown = time.monotonic() + _LIVE_S, ""

    def look() -> tuple[bool, list[bytes]]:
        nonlocal shown
        over, html = view()
        frames = [] if html == shown else [b"event: view\ndata: %s\n\n" % orjson.dumps(html)]
        shown = html
        return over or time.monotonic() > end, [*frames, *([b"event: over\ndata: true\n\n"] if over else [])]

    return _response(_frames(service, look, _LOOK_AGAIN_EVERY_S))


def _response(frames: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def _frames(service: Service, look: Look, every_s: float) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    loop = asyncio.get_running_loop()
    spoken_at = loop.time()
    while not service.stopping.asked:
        over, frames = await asyncio.to_thread(look)
        for frame in frames:
            spoken_at = loop.time()
            yield frame
        if over:
            return
        if loop.time() - spoken_at > _SIGN_OF_LIFE_S:
            spoken_at = loop.time()
            yield b": still there\n\n"
        await asyncio.sleep(every_s)


def _frame(event: JobEvent) -> bytes:
    """An event as HTML's server-sent events write it; JSON has no line breaks."""
    data = orjson.dumps({"at": timestamp(event.at), **event.data})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), data)
