"""Where agents ask: whoever asks at the same time is answered together."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from service.agents.gathering import Gathering
from service.agents.keeping import Receipt, Sent, keep
from service.agents.leasing import Asking, Beat, beat, hear
from service.agents.queueing import Queue
from service.db import AgentRecord, Database
from service.stopping import StopSignal

#: Signs of life, and chunks of results, that one transaction takes. Others wait for it.
_MOST_SIGNS, _MOST_CHUNKS = 200, 16


class Desk:
    """For the tasks of one event loop."""

    def __init__(self, database: Database, ttl_s: float, stopping: StopSignal) -> None:
        #: Who asks for work, and is told who it is.
        self.askings: Gathering[Asking, AgentRecord] = Gathering(partial(hear, database), _MOST_SIGNS)
        self.beats: Gathering[Beat, datetime | None] = Gathering(partial(beat, database, ttl_s), _MOST_SIGNS)
        self.chunks: Gathering[Sent, Receipt] = Gathering(partial(keep, database), _MOST_CHUNKS)
        self.queue = Queue(database, ttl_s, stopping)
