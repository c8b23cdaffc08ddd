"""Taking turns at SQLite's one write lock, and sharing syncs of the disk.

SQLite lets who finds its lock taken sleep, for up to a tenth of a second, and look again: of many writers some would
always be asleep when it is free. Writers of one process therefore queue here first. A sync takes milliseconds; who
commits while one is under way shares the next.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import DatabaseUnavailable


class Turns:
    """Lets one thread in at a time, the others wait for up to ``limit_s``."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises DatabaseUnavailable where it never comes."""
        if not self._lock.acquire(timeout=self._limit_s):
            raise DatabaseUnavailable(f"the database does not answer: others wrote for {self._limit_s:.0f} s")
        try:
            yield
        finally:
            self._lock.release()


class SharedSync:
    """Has ``sync`` called for all who wait; thread-safe."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._one = threading.Lock()
        self._begun = self._done = 0

    def wait(self) -> None:
        """Return when a sync that began after this call is over. Raises what it raises."""
        before = self._begun
        with self._one:
            if self._done > before:
                return  # somebody's who waited too
            self._begun += 1
            number = self._begun
            self._sync()
            self._done = number


def sync_file(file: Path) -> None:
    """Put on disk what was written to a file through any descriptor; one that is not there has nothing to sync.

    Raises DatabaseUnavailable where the disk fails.
    """
    try:
        handle = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        raise DatabaseUnavailable(f"{file} could not be synced: {error}") from error
    finally:
        os.close(handle)
