"""A service in a process of its own, for as long as a block lasts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archgauge.errors import CommandError
from archgauge_client import ArchGaugeError, Client, RetryPolicy

START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0


@contextmanager
def running_service(data_dir: Path) -> Iterator[str]:
    """Start ``archgauge serve`` on a free port of this machine; yields its base URL once it is ready.

    Raises:
        CommandError: it stopped or was not ready in time; its log says why.
    """
    port = _free_port()
    base_url = f"http://127.0.0.1:{port}"
    log = data_dir / "service.log"
    command = [sys.executable, "-m", "archgauge", "serve", "--port", str(port), "--data-dir", str(data_dir)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        _wait(process, base_url, log)
        yield base_url
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], base_url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    with Client(base_url, timeout_s=5.0, retries=RetryPolicy(attempts=1)) as client:
        while True:
            try:
                client.health()
                return
            except ArchGaugeError as error:
                if process.poll() is not None:
                    raise CommandError(f"the service stopped with status {process.returncode}; see {log}") from error
                if time.monotonic() > deadline:
                    raise CommandError(f"the service is not ready after {START_LIMIT_S:.0f} s; see {log}") from error
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
