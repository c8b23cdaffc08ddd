"""Letting somebody stop long work on a graph from outside.

A service must be able to give up on a graph that takes too long, whatever is odd about it. Threads cannot be stopped,
so the loops that a large or hostile graph can make long call `checkpoint`, which raises what the one who waits wants
raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Let `checkpoint` call ``check`` within the block, in this thread or task."""
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def checkpoint() -> None:
    """Raise what the innermost `interruptible` has to say; nothing outside of any."""
    check = _CHECK.get()
    if check is not None:
        check()
