"""What clients saw: statuses, times, wrong answers, and everything that was acknowledged to them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

#: Refusals that a client is meant to meet: come back later.
ALLOWED = (429, 503)
#: After a promotion was acknowledged, replicas may go on with the version before for so long.
FOLLOW_S = 2.0


@dataclass
class Tally:
    """Filled by all clients; take `lock` to change it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    #: Statuses by kind of request; of batches those of their lines.
    statuses: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: Answers that differ from what their version says; acknowledged predictions that came back otherwise or not.
    wrong: list[str] = field(default_factory=list)
    #: Refusals that are allowed, by what they say is the reason.
    reasons: Counter[str] = field(default_factory=Counter)
    #: Statuses that nobody is meant to meet.
    refused: list[str] = field(default_factory=list)
    #: Connections that broke or were refused, after which another replica was asked; and requests that nobody answered.
    elsewhere: int = 0
    nobody: int = 0
    #: Answers by version; and those by a version that was no longer promoted.
    versions: Counter[str] = field(default_factory=Counter)
    stale: int = 0
    #: Acknowledged: predictions with the hash of the answer, keys, promotions (when, version) from the first on.
    stored: dict[str, bytes] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    promotions: list[tuple[float, str]] = field(default_factory=list)

    def status(self, kind: str, status: int, answer: str) -> bool:
        """Count an answer; whether there is something in it to look at."""
        self.statuses[kind][status] += 1
        if status in ALLOWED:
            problem = json.loads(answer)["type"] if answer.startswith("{") else "a page"
            self.reasons[problem.rpartition(":")[2]] += 1
        elif status >= 300:
            self.refused.append(f"{kind}: {status} {answer[:300]}")
        return status < 300

    def made_by(self, version: str, began: float) -> None:
        """Count who answered a request that was sent at a moment."""
        self.versions[version] += 1
        settled = [promoted for at, promoted in self.promotions if at + FOLLOW_S < began]
        fresh = [promoted for at, promoted in self.promotions if at + FOLLOW_S >= began]
        if version not in (*settled[-1:], *fresh):
            self.stale += 1

    def keep(self, prediction_id: str, answer: bytes) -> None:
        """An answer that can be fetched again from now on."""
        self.stored[prediction_id] = hashlib.blake2b(answer, digest_size=16).digest()
        self.ids.append(prediction_id)

    def is_same(self, prediction_id: str, answer: bytes) -> bool:
        """Whether a fetched answer is the one that was given."""
        return self.stored[prediction_id] == hashlib.blake2b(answer, digest_size=16).digest()
