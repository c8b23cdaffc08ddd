"""Waiting: for a service that does not answer, for the hours in which measuring is allowed, for room on the disk."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from archgauge_client import ArchGaugeError, ProblemError

#: Between attempts to reach the service: doubled from the first to the second.
PAUSE_S = (1.0, 60.0)
#: A new key is known to all processes of a service within this time.
_KEY_KNOWN_S = 15.0
#: Answers that mean no.
_REFUSALS = (400, 401, 403, 404, 422)


class Patience:
    """How long an agent lives, and how it waits meanwhile; ``say`` gets a line whenever it waits for something else."""

    def __init__(self, max_duration_s: float | None, say: Callable[[str], None]) -> None:
        self._max_duration_s = max_duration_s
        self._say = say
        self._began = self._key_since = time.monotonic()
        self._failures = 0
        self._waited_for = ""

    @property
    def left_s(self) -> float:
        """Until its time is over."""
        if self._max_duration_s is None:
            return float("inf")
        return self._max_duration_s - (time.monotonic() - self._began)

    def pause(self, seconds: float, why: str) -> None:
        """Wait, not beyond the end."""
        if why != self._waited_for:
            self._say(f"waiting: {why}")
        self._waited_for = why
        time.sleep(max(0.0, min(seconds, self.left_s)))

    def begin_with_key(self) -> None:
        """The agent has a key, which the service may not know everywhere yet; on a slow device that is late."""
        self._key_since = time.monotonic()

    def bear(self, error: ArchGaugeError) -> None:
        """Wait before another attempt, longer every time. Raises the error where the service refuses for good."""
        refused = isinstance(error, ProblemError) and error.status in _REFUSALS
        if refused and time.monotonic() - self._key_since > _KEY_KNOWN_S:
            raise error
        first, longest = PAUSE_S
        pause_s = min(longest, first * 2.0**self._failures) * random.uniform(0.5, 1.0)
        self._failures += 1
        self.pause(pause_s, str(error))

    def relieve(self) -> None:
        """The service answered."""
        self._failures, self._waited_for = 0, ""
