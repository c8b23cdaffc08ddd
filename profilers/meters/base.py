"""What a meter of energy must offer."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: ``counter``: the hardware adds up energy itself; ``meter``: power is sampled here and integrated.
Method = Literal["counter", "meter"]

Kind = Literal["energy_j", "power_w"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One counter (``energy_j``, joules since some moment) or one sensor (``power_w``, watts) of a meter."""

    name: str
    kind: Kind
    #: Where a counter starts again from zero, in joules; None where it never does.
    range_j: float | None = None
    #: What the others are compared with; it is not added to them.
    check: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """What the channels said at a moment of `time.monotonic`, in their order; None where one could not be read."""

    at_s: float
    values: tuple[float | None, ...]


class Meter(ABC):
    """A source of energy readings. Making one finds its files or opens its library; `close` it after use.

    Duties of an implementation:

    * Units are joules and watts, whatever the source counts in.
    * A value that could not be read is None. It is never 0, never the last one, never an exception: `poll` is called
      from a thread of its own some hundred times a second, and what a gap means is decided in `meters.curves`.
    * Counters are passed on as they are. Wraps and resets are told apart in one place, for each channel alone.
    * The constructor raises `MeterUnavailable`, which says what to do, where nothing can be read at all.
    * `poll` is called by one thread at a time; nothing else is called meanwhile.
    """

    #: As in the registry.
    name: str
    method: Method
    #: What is metered: ``package``, ``package+dram``, ``gpu``, ``board`` … Energies of different scopes never mix.
    scope: str
    channels: tuple[Channel, ...]
    #: Pause between two polls.
    interval_s: float = 0.01
    #: How often the source has something new, about.
    tick_s: float = 0.01
    #: How long readings still speak of what was before, for instance because the sensor averages.
    lag_s: float = 0.0

    @abstractmethod
    def read(self) -> tuple[float | None, ...]:
        """The channels' present values."""

    def poll(self) -> Sequence[Sample]:
        """What is new since the last call; sources that keep times of their own return several samples or none."""
        before = time.monotonic()
        values = self.read()
        return [Sample((before + time.monotonic()) / 2.0, values)]

    def close(self) -> None:
        """Let go of whatever was opened; closing twice is allowed."""
        return None

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
