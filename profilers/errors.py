"""What can go wrong while measuring.

ProfilerError (Exception)
├── UnknownRuntime          no runtime of that name is registered (also a LookupError)
├── RuntimeNotInstalled     the runtime's package is missing or of another version (also an ImportError)
├── AgentError              an agent cannot enrol, describe its device or use its folder
├── DeviceChanged           this machine is not the target any more that was to be measured
├── MeasurementFailed       a model could not be loaded or run; ``kind`` is an error kind of measurements
├── InvalidSpool            a spool of another target or protocol, or no spool at all (also a ValueError)
├── UnknownMeter            no energy meter of that name is registered (also a LookupError)
├── MeterUnavailable        a meter is not on this machine or may not be read; the message has the remedy
└── MeteringFailed          what a meter said cannot be turned into an energy
"""

from __future__ import annotations

from lookup_tables.records import ErrorKind


class ProfilerError(Exception):
    """Something about measuring; the message says what and what to do."""


class UnknownRuntime(ProfilerError, LookupError):
    """A target names a runtime that nobody has registered."""


class RuntimeNotInstalled(ProfilerError, ImportError):
    """The runtime cannot be imported here."""


class DeviceChanged(ProfilerError):
    """What would be measured here belongs to another target, for instance because a runtime was upgraded."""


class MeasurementFailed(ProfilerError):
    """The runtime refused, crashed, ran out of memory or of time."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class AgentError(ProfilerError):
    """The agent cannot begin; the message says what is missing."""


class InvalidSpool(ProfilerError, ValueError):
    """The spool cannot be resumed."""


class UnknownMeter(ProfilerError, LookupError):
    """Nobody has registered an energy meter of that name."""


class MeterUnavailable(ProfilerError):
    """The meter is not here, or reading it is not allowed."""


class MeteringFailed(ProfilerError):
    """Windows too short, a sensor that vanished or stood still, a clock that jumped: there is no energy to tell."""
