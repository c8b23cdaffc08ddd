"""How fast one client may ask: token buckets, one for each API key or, without keys, for each address.

A prediction is worth one token. A single request that finds its bucket empty is refused with 429; a batch is read more
slowly instead.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

#: A bucket holds what comes in this time, and one token at least.
_BURST_S = 2.0

#: Buckets that are kept; of more clients than that, those that asked longest ago begin anew.
_CLIENTS = 10_000


class Rates:
    """The buckets of one process; thread-safe. A rate of 0 is no limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: By client, what was left of the tokens, and when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, rate: float, tokens: float, *, on_credit: bool = False) -> float:
        """Take ``tokens`` at ``rate`` a second; returns the seconds until there are enough, 0 if there were.

        Too few are not taken at all, or ``on_credit``, after which the client should wait so long.
        """
        if rate <= 0.0:
            return 0.0
        now, full = time.monotonic(), max(rate * _BURST_S, 1.0)
        with self._lock:
            left, since = self._buckets.pop(client, (full, now))
            left = min(left + (now - since) * rate, full)
            wait_s = max(tokens - left, 0.0) / rate
            if wait_s == 0.0 or on_credit:
                left -= tokens
            self._buckets[client] = (left, now)
            if len(self._buckets) > _CLIENTS:
                self._buckets.popitem(last=False)
        return wait_s


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one client may do."""

    rates: Rates
    client: str
    rate: float

    def spend(self, tokens: float) -> float:
        """Take tokens in any case; returns the seconds to wait before the next ones."""
        return self.rates.take(self.client, self.rate, tokens, on_credit=True)
