"""Signs of life while a lease is held, from a thread, since measuring an item may take minutes."""

from __future__ import annotations

import random
import threading

from archgauge_client import ArchGaugeError, ProblemError
from archgauge_client.agents import Agents
from archgauge_client.wire_agents import HeartbeatRequest, Lease
from profilers.agent.pacing import temperature_c

#: Of the lease's time, so that two beats may be lost; not always the same, or agents that began together stay in step.
_SHARE = (0.8 / 3, 1 / 3)
#: A beat that is under way is waited for so long at the end.
_LAST_BEAT_S = 3.0


class Heart:
    """Beats while its block lasts; ``lost`` is set when the service says that the task is somebody else's."""

    def __init__(self, agents: Agents, lease: Lease) -> None:
        self._agents = agents
        self._lease = lease
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.lost = False
        #: What the sentinel read last, in microseconds.
        self.sentinel_us: float | None = None

    def beat(self, *, release: bool = False) -> None:
        """Say once that the agent lives, or that it gives the task back. Without a network nothing is said."""
        said = HeartbeatRequest(
            fence=self._lease.fence, temperature_c=temperature_c(), sentinel_us=self.sentinel_us, release=release
        )
        try:
            self._agents.heartbeat(self._lease.id, said)
        except ProblemError as error:
            self.lost = self.lost or error.status in (404, 409)
        except ArchGaugeError:
            pass  # the network may come back before the lease runs out, or after

    def __enter__(self) -> Heart:
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_LAST_BEAT_S)

    def _beat(self) -> None:
        while not self._stop.wait(self._lease.ttl_s * random.uniform(*_SHARE)):
            self.beat()
