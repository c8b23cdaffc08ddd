"""Requests of a stream between the network and those who price them."""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.types import Receive

from service.batch.splitting import Item, Splitter
from service.errors import ClientGone, SlowBody
from service.workers import Deadline

#: Bytes of requests that are read ahead, however few they are.
_READ_AHEAD_BYTES = 8 * 1024 * 1024


class Inbox:
    """Reads ahead as far as one window, then lets the client wait.

    While there is work, what arrives gathers into the next window; who has nothing to do gets what there is at once.
    """

    def __init__(self, limit: int, window: int, idle_s: float) -> None:
        self._splitter = Splitter(limit)
        self._window = window
        self._idle_s = idle_s
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._complete = self._gone = False
        self._deadline: Deadline | None = None

    async def fill(self, receive: Receive) -> None:
        """Read the body, and after it wait for the client to hang up, which cancels the work that is under way."""
        try:
            while not self._complete:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self._hang_up()
                    return
                self._add(self._splitter.feed(message.get("body", b"")))
                if not message.get("more_body", False):
                    self._add(self._splitter.finish())
                    self._complete = True
                self._filled.set()
                while len(self._items) >= self._window or self._bytes >= _READ_AHEAD_BYTES:
                    self._emptied.clear()
                    await self._emptied.wait()
        except Exception as error:  # a limit, or broken compression: nothing after it can be understood
            self._add([error])
            self._complete = True
            self._filled.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self._hang_up()

    def _add(self, items: list[Item]) -> None:
        self._items.extend(items)
        self._bytes += sum(map(_size, items))

    def _hang_up(self) -> None:
        self._gone = True
        self._filled.set()
        if self._deadline is not None:
            self._deadline.cancel()

    @property
    def complete(self) -> bool:
        """Whether the body has arrived to its end; what is left of it can be taken without waiting."""
        return self._complete

    async def take(self) -> list[Item]:
        """The next window, as soon as there is anything; empty at the end of the body.

        Raises:
            ClientGone: the connection was closed.
            SlowBody: nothing came for a while.
        """
        while not (self._items or self._complete or self._gone):
            self._filled.clear()
            try:
                await asyncio.wait_for(self._filled.wait(), self._idle_s)
            except TimeoutError:
                raise SlowBody(f"nothing arrived for {self._idle_s:g} s") from None
        if self._gone:
            raise ClientGone("the client closed the connection")
        taken = [self._items.popleft() for _ in range(min(len(self._items), self._window))]
        self._bytes -= sum(map(_size, taken))
        self._emptied.set()
        return taken

    def deadline(self, limit_s: float) -> Deadline:
        """A deadline that is cancelled when the client hangs up."""
        self._deadline = Deadline(limit_s)
        if self._gone:
            self._deadline.cancel()
        return self._deadline


def _size(item: Item) -> int:
    return len(item) if isinstance(item, bytes) else 0
