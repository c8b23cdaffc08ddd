"""A server and agents as processes that may be killed, frozen and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

_START_LIMIT_S = 60.0


class _Part:
    """A process of ours."""

    def __init__(self, command: list[str], log: Path, settings: dict[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "archgauge", *command]
        self._environment = {**os.environ, **(settings or {})}
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.process = self._run()

    def _run(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as stream:
            return subprocess.Popen(self._command, stdout=stream, stderr=stream, env=self._environment)

    def again(self, pause_s: float = 0.0) -> None:
        """Kill it, and start it after a while."""
        self.process.kill()
        self.process.wait()
        time.sleep(pause_s)
        self.process = self._run()

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ServerProcess(_Part):
    """``archgauge serve`` on a port that stays the same."""

    def __init__(self, data_dir: Path, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "ARCHGAUGE_DATA_DIR": str(data_dir), "ARCHGAUGE_DATABASE_URL": database_url,
            "ARCHGAUGE_EMBEDDED_WORKER": "no", "ARCHGAUGE_LEASE_TTL_S": "10", "ARCHGAUGE_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        super().__init__(["serve", "--port", str(port)], data_dir / "server.log", settings)
        end = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("the server did not start")

    def freeze(self, seconds: float) -> None:
        """Answer nobody for a while, as a network that swallows everything."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)


class AgentProcess(_Part):
    """``archgauge agent`` with the fake runtime."""

    def __init__(self, url: str, home: Path) -> None:
        self._home = home
        command = ["agent", "--server", url, "--data-dir", str(home), "--runtime", "fake", "--provider", "FakeProvider"]
        super().__init__(command, home / "agent.log")

    def left(self) -> list[Path]:
        """Leases that are not done with."""
        return list((self._home / "agent" / "leases").glob("*"))
