"""Processes of ours that benchmarks and tests start, watch and kill."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import psutil

START_LIMIT_S = 60.0
STOP_LIMIT_S = 45.0


class Part:
    """``archgauge`` with arguments and settings; what it says goes to a file."""

    def __init__(self, command: list[str], settings: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "archgauge", *command]
        self._environment = {**os.environ, **settings}
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start it, again after it ended."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(self._command, stdout=stream, stderr=stream, env=self._environment)

    def kill(self) -> None:
        """As the kernel's out-of-memory killer would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> bool:
        """As an operator would, who loses patience after a while; whether it ended by itself."""
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def children(self) -> list[psutil.Process]:
        """What it started, at any depth."""
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def resident_mib(self) -> float:
        """MiB that it holds, without its children."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def processor_s(self) -> float:
        """Seconds of processors that it took, without its children."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


class ServerPart(Part):
    """``archgauge serve`` on a port that stays the same."""

    def __init__(self, settings: Mapping[str, str], log: Path, arguments: Sequence[str] = ()) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(["serve", "--port", str(port), *arguments], settings, log)

    def wait_until_ready(self) -> None:
        """Raises RuntimeError where it does not become ready."""
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{self.url} did not become ready:\n{self.log.read_text()[-3000:]}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
