"""When to ask again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Statuses that say "later": no capacity or rate limit.
RETRIED = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, so that clients refused together do not come back together.

    Before attempt n + 1 (n from 1) it waits a random time of up to min(``cap_s``, ``base_s``·2ⁿ⁻¹), and at least as
    long as the service's Retry-After asks. A Retry-After of more than ``longest_s`` is not waited for.
    """

    attempts: int = 4
    base_s: float = 0.2
    cap_s: float = 10.0
    longest_s: float = 60.0

    def delay_s(self, attempt: int, retry_after: str | None = None) -> float | None:
        """Seconds to wait after the failed ``attempt`` (from 1); None to give up."""
        asked = seconds(retry_after)
        if attempt >= self.attempts or asked > self.longest_s:
            return None
        return asked + random.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** (attempt - 1)))


def seconds(retry_after: str | None) -> float:
    """A Retry-After header, which is a number of seconds or a date, in seconds from now; 0 if absent or unreadable."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
