"""A network that fails: a relay between agents and a server, which can be cut, swallow everything, or lose answers."""

from __future__ import annotations

import asyncio
import re
import threading
import time

_RESULTS = re.compile(rb"PUT /v1/leases/([^/ ]+)/results/(\d+) HTTP/1\.1\r\n")
_ASKING = re.compile(rb"POST /v1/leases HTTP/1\.1\r\n")
_REQUEST = re.compile(rb"[A-Z]+ /[^ ]* HTTP/1\.1\r\n")
_START_LIMIT_S = 10.0


class _Link:
    """One connection; what was asked last: for work, or that the results of an item of a lease be kept."""

    def __init__(self) -> None:
        self.asked: tuple[str, int] | None = None
        self.asked_for_work = False


class Network:
    """Listens on a port of its own (``url``) in a thread; ``acknowledged`` are the results that were answered 200."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._answers_to_lose = 0
        self.answers_lost = 0
        self.acknowledged: set[tuple[str, int]] = set()
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_LIMIT_S):
            raise RuntimeError("the network did not come up")

    def cut(self, seconds: float) -> None:
        """Break every connection, and let nobody through for a while."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._break_all)
        time.sleep(seconds)
        self._is_cut = False

    def swallow(self, seconds: float) -> None:
        """Keep all connections, and let nothing pass for a while."""
        self._loop.call_soon_threadsafe(self._open.clear)
        time.sleep(seconds)
        self._loop.call_soon_threadsafe(self._open.set)

    def lose_answers(self, number: int) -> None:
        """Break the connection instead of passing on the next answers to results, which are kept by then, or to a
        question for work, which is the agent's by then.
        """
        self._answers_to_lose = number

    def close(self) -> None:
        """Break everything for good."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._break_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        listener = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        self._ready.set()

    def _break_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.transport.abort()
            return
        ends, link = {writer, forth}, _Link()
        self._writers |= ends
        pumps = [
            asyncio.create_task(self._pump(reader, forth, link, answers=False)),
            asyncio.create_task(self._pump(back, writer, link, answers=True)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        self._writers -= ends
        for end in ends:
            end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link, *, answers: bool
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._open.wait()
                if answers and self._lost(link, data):
                    return
                if not answers:
                    self._note_request(link, data)
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # one end is gone, and so will the other be

    def _note_request(self, link: _Link, data: bytes) -> None:
        if _REQUEST.match(data):
            match = _RESULTS.match(data)
            link.asked = (match[1].decode(), int(match[2])) if match else None
            link.asked_for_work = _ASKING.match(data) is not None

    def _lost(self, link: _Link, data: bytes) -> bool:
        """Whether an answer is to be lost; one that is not is noted."""
        if not data.startswith(b"HTTP/1.1 200 ") or not (link.asked or link.asked_for_work):
            return False
        if link.asked:
            self.acknowledged.add(link.asked)
        if self._answers_to_lose == 0:
            return False
        self._answers_to_lose -= 1
        self.answers_lost += 1
        return True
