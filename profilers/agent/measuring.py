"""Measuring the items of a lease, each in the task's child process; what was measured before is not measured again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from archgauge_client.wire_agents import Lease, TaskItem
from lookup_tables.plans import PlanItem
from lookup_tables.records import Measurement
from lookup_tables.targets import Target
from profilers.agent.home import LeaseFolder
from profilers.child import Child, memory_limit
from profilers.errors import DeviceChanged, MeasurementFailed
from profilers.failures import common_record, failed
from profilers.spool import Entry, Spool

#: An item during which the agent itself died so many times is what kills it: it is recorded as a crash.
MAX_DEATHS = 3
#: To look once more what this machine is.
_LOOK_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """An item that is on disk now."""

    item: TaskItem
    seconds: float
    failed: int
    sentinel_us: float | None


class Measuring:
    """Goes through a lease's items; use as a context manager."""

    def __init__(self, folder: LeaseFolder, target: Target, meter: str = "none") -> None:
        """``meter`` is for items that ask for energy.

        Raises InvalidSpool where the spool is of another target or protocol, OSError where it cannot be written.
        """
        self._folder = folder
        self._target = target
        self._meter = meter
        self._spool = Spool(folder.spool, target.id)
        self._done = {(entry.key, entry.repetition) for entry in self._spool.entries}
        self._child: Child | None = None
        self._children = 0

    def left(self) -> list[TaskItem]:
        """Items that were not measured yet."""
        items = self._folder.lease.items
        return [i for i in items if (PlanItem.from_json(i.item).key, i.repetition) not in self._done]

    def measure(self, wanted: TaskItem) -> Measured:
        """Measure an item; on return its records, failures included, are on disk.

        Raises:
            OSError: the disk is full; what was measured of the item is lost, nothing else.
            DeviceChanged: whatever would be measured now is no measurement of the target.
        """
        item = PlanItem.from_json(wanted.item)
        deaths = self._folder.begin(wanted.index)
        began = time.monotonic()
        if deaths >= MAX_DEATHS:
            common = common_record(item, wanted.repetition, self._session())
            records = [failed(common, "crash", f"the agent died {deaths} times while measuring it")]
        else:
            try:
                records = self._ask(wanted, item)
            except (KeyboardInterrupt, DeviceChanged):
                self._folder.forgive(wanted.index)  # neither is the item's fault
                raise
        entry = Entry(item.key, wanted.repetition, time.monotonic() - began, tuple(records))
        self._spool.add(entry)
        self._done.add((entry.key, entry.repetition))
        sentinel = next((r.sentinel_us for r in reversed(records) if r.sentinel_us is not None), None)
        return Measured(wanted, entry.seconds, sum(r.error is not None for r in records), sentinel)

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
        self._spool.close()

    def __enter__(self) -> Measuring:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, wanted: TaskItem, item: PlanItem) -> list[Measurement]:
        request = {"do": "item", "item": item.to_json(), "repetition": wanted.repetition, "graph": wanted.graph}
        try:
            child = self._ready()
            answer = child.ask(request, self._folder.lease.limits.seconds)
            return [Measurement.from_json(record) for record in answer["records"]]
        except MeasurementFailed as error:
            if self._child is not None and not self._child.alive:
                self._child.close()
                self._child = None
            return [failed(common_record(item, wanted.repetition, self._session()), error.kind, str(error))]

    def _ready(self) -> Child:
        """The task's process. One that cannot start is a failure of the item: others may need less memory."""
        if self._child is None:
            self._children += 1
            child = Child(self._target, self._session(), memory_of(self._folder.lease), self._meter)
            found = _target_of(child)
            if found != self._target.id:
                child.close()
                raise DeviceChanged(f"this device is {found or 'another one'} by now, not {self._target.id}")
            self._child = child
        return self._child

    def _session(self) -> str:
        return f"{self._folder.lease.id[-12:]}.{self._children}"


def _target_of(child: Child) -> str | None:
    """What the machine is in the eyes of the process that would measure; None where that cannot be said any more."""
    try:
        return str(child.ask({"do": "target"}, _LOOK_LIMIT_S)["target"])
    except MeasurementFailed:
        return None


def memory_of(lease: Lease) -> int | None:
    """Bytes that the child may use: what the task allows, and what the device has."""
    known = [limit for limit in (lease.limits.memory_bytes, memory_limit()) if limit is not None]
    return min(known, default=None)
