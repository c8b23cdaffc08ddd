"""The parent's side of the measuring process: starts it, asks it, notices when it dies or takes too long."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from lookup_tables.records import ErrorKind
from lookup_tables.targets import Target
from profilers.errors import MeasurementFailed
from profilers.scratch import SCRATCH_VARIABLE, make_scratch

_START_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parent.parent
#: Left to the rest of the system when memory is limited, in bytes.
_RESERVE = 512 * 2**20


class Child:
    """A measuring process of a target. Not shared between threads.

    After a crash or a timeout the process is gone and the next `ask` raises ``crash`` at once: make another child.
    """

    def __init__(self, target: Target, session: str, memory_limit: int | None = None, meter: str = "none") -> None:
        """Start and warm up. ``meter`` is for items that ask for energy.

        Raises:
            MeasurementFailed: it did not come up, for instance because the runtime is not installed.
        """
        self.session = session
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._scratch = make_scratch()
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "profilers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path, SCRATCH_VARIABLE: str(self._scratch)},
            start_new_session=True,  # Ctrl-C is for the parent, who decides what to do
        )
        self._rest = b""
        start = {
            "do": "start", "target": target.to_json(), "session": session, "memory_limit": memory_limit, "meter": meter,
        }  # fmt: skip
        try:
            self.started = self.ask(start, _START_SECONDS)
        except BaseException:
            self.close()
            raise

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            MeasurementFailed: the answer is an error, the process died (``crash``, or ``oom`` where the system killed
                it), or no answer came in time (``timeout``; the process is killed).
        """
        deadline = time.monotonic() + timeout_s
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._death() from None
        answer: dict[str, Any] = json.loads(self._read_line(deadline, timeout_s))
        if "error" in answer:
            raise MeasurementFailed(answer["error"], answer.get("detail", ""))
        return answer

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, at once if it does not go by itself."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()

    def _read_line(self, deadline: float, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.kill()
                    raise MeasurementFailed("timeout", f"no result within {timeout_s:.1f} s")
                chunk = os.read(handle, 1 << 16)
                if not chunk:
                    raise self._death()
                self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _death(self) -> MeasurementFailed:
        """What the exit status says. Only the system's out-of-memory killer sends SIGKILL unasked."""
        status = self._process.wait()
        words = self._last_words()
        kind: ErrorKind = "oom" if status == -signal.SIGKILL or "bad_alloc" in words else "crash"
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return MeasurementFailed(kind, f"the measuring process {how}{words}")

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 300))
        words = self._errors.read().decode(errors="replace").strip()
        return f": {words}" if words else ""


def memory_limit() -> int | None:
    """Private memory that a measuring process may use, in bytes; None where the system does not say what is free."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    return max(available - _RESERVE, available // 2)
