"""From the spool to the service: one chunk per item, always the same bytes."""

from __future__ import annotations

import json
from typing import Any

from archgauge_client import ProblemError
from archgauge_client.agents import Agents
from profilers.agent.home import LeaseFolder

#: Answers after which a chunk need not be sent again: it is kept as evidence, something else is there already, or the
#: service does not know (any more) what it is about.
_SETTLED = (404, 409, 422)


class Sender:
    """Sends what a lease's spool holds; items that were sent are remembered as long as the process lives."""

    def __init__(self, agents: Agents, folder: LeaseFolder) -> None:
        self._agents = agents
        self._folder = folder
        #: The first so many entries were sent.
        self._sent = 0
        self._places = {(item_key(i.item), i.repetition): i.index for i in folder.lease.items}
        #: What the service said about chunks that it did not take as results.
        self.refused: list[str] = []

    def send(self) -> int:
        """Send what was not sent yet; returns how many entries of the spool that were.

        Raises:
            ArchGaugeError: the service cannot be reached or cannot answer now; try again later.
        """
        before = self._sent
        for entry in self._folder.entries(after=before):
            index = self._places.get((entry["item"], entry["repetition"]))
            try:
                if index is not None:
                    self._agents.send(self._folder.lease.id, index, self._chunk(entry))
            except ProblemError as error:
                if error.status not in _SETTLED:
                    raise
                self.refused.append(str(error))
            self._sent += 1
        return self._sent - before

    def _chunk(self, entry: dict[str, Any]) -> bytes:
        chunk = {
            "fence": self._folder.lease.fence, "item": entry["item"], "repetition": entry["repetition"],
            "seconds": entry["seconds"], "records": entry["records"],
        }  # fmt: skip
        return json.dumps(chunk, sort_keys=True, separators=(",", ":")).encode()


def item_key(item: dict[str, Any]) -> str:
    """`lookup_tables.PlanItem.key` of an item's JSON."""
    return f"{item['family']}:{item['seed']}/{item['mode']}/{item['split']}"
