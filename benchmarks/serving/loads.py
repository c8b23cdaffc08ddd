"""Ways to ask: one after another, in batches, in a stream without end."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from urllib.parse import urlsplit

BATCH = "/v1/predictions/batch"


class Connection:
    """One connection that is kept alive, with as little of a client as possible."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        assert parts.hostname is not None
        self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        self._used_at = float("-inf")

    def _renew(self) -> None:
        """Connect again after a pause: the service closes connections that nobody uses."""
        if time.monotonic() - self._used_at > 2.0:
            self._http.close()
            self._http.connect()
            self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes, media_type: str) -> bytes:
        self._renew()
        self._http.request("POST", path, body, {"Content-Type": media_type})
        return self._read()

    def get(self, path: str) -> bytes:
        self._renew()
        self._http.request("GET", path)
        return self._read()

    def _read(self) -> bytes:
        response = self._http.getresponse()
        data = response.read()
        self._used_at = time.monotonic()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {data[:300]!r}")
        return data

    def metric(self, prefix: str) -> float:
        """The sum of all numbers of the service whose names begin so."""
        lines = self.get("/metrics").decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(prefix))


def one_by_one(connection: Connection, path: str, bodies: Sequence[bytes], media_type: str) -> list[float]:
    """Milliseconds from sending a request to having its answer, ascending."""
    times = []
    for body in bodies:
        began = time.perf_counter()
        connection.post(path, body, media_type)
        times.append(1e3 * (time.perf_counter() - began))
    return sorted(times)


def batch(connection: Connection, lines: Sequence[bytes]) -> float:
    """Seconds that a batch takes."""
    body = b"".join(lines)
    began = time.perf_counter()
    answers = connection.post(BATCH, body, "application/x-ndjson").splitlines()
    took_s = time.perf_counter() - began
    wrong = [line for line in answers if b'"predictions"' not in line]
    if wrong or len(answers) != len(lines):
        raise RuntimeError(f"{len(answers)} answers to {len(lines)} requests: {wrong[:1]!r}")
    return took_s


def endless(base_url: str, lines: Sequence[bytes], seconds: float) -> Iterator[tuple[int, float]]:
    """Send lines for so long while answers are read; yields (answers so far, resident MiB) every now and then."""
    parts = urlsplit(base_url)
    watch = Connection(base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as stream:
        head = f"POST {BATCH} HTTP/1.1\r\nHost: {parts.hostname}\r\nTransfer-Encoding: chunked\r\n"
        stream.sendall(head.encode() + b"Content-Type: application/x-ndjson\r\n\r\n")
        end = time.monotonic() + seconds

        def send() -> None:
            for line in cycle(lines):
                if time.monotonic() > end:
                    break
                stream.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            stream.sendall(b"0\r\n\r\n")

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        answers, shown = 0, 0.0
        tail = b""
        while not tail.endswith(b"0\r\n\r\n"):
            data = stream.recv(1 << 20)
            if not data:
                break
            answers += data.count(b'"predictions":')
            tail = (tail + data)[-16:]
            if time.monotonic() - shown > seconds / 8:
                shown = time.monotonic()
                yield answers, watch.metric("process_resident_memory_bytes") / 2**20
        sender.join()
        yield answers, watch.metric("process_resident_memory_bytes") / 2**20
