"""A bounded memory of what was computed before."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class MemoryUsage(NamedTuple):
    """How a memory was used so far."""

    hits: int
    misses: int
    #: What it holds now.
    entries: int


class Memory(Generic[K, V]):
    """Keeps about the ``size`` entries that were asked for last; thread-safe.

    There are two generations. What is found or added belongs to the young one; once that holds half of ``size`` it
    becomes the old one, and what was old is forgotten. That costs no bookkeeping per entry.
    """

    def __init__(self, size: int) -> None:
        self._half = max(size // 2, 1)
        self._lock = threading.Lock()
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._hits = self._misses = 0

    def find(self, keys: Sequence[K]) -> list[V | None]:
        """The values of ``keys``, None for those that are not known."""
        with self._lock:
            young, old = self._young, self._old
            found = [young.get(key) for key in keys]
            if None in found:
                again = {}
                for i, key in enumerate(keys):
                    if found[i] is None and (value := old.get(key)) is not None:
                        found[i] = again[key] = value
                self._add(again)
            missing = found.count(None)
            self._hits += len(found) - missing
            self._misses += missing
        return found

    def add(self, entries: Mapping[K, V]) -> None:
        """Remember ``entries``."""
        with self._lock:
            self._add(entries)

    def _add(self, entries: Mapping[K, V]) -> None:
        self._young.update(entries)
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}

    def forget(self) -> None:
        """Forget everything but how it was used."""
        with self._lock:
            self._young, self._old = {}, {}

    @property
    def usage(self) -> MemoryUsage:
        with self._lock:
            return MemoryUsage(self._hits, self._misses, len(self._young) + len(self._old))
