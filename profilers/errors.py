"""What can go wrong while measuring.

ProfilerError (Exception)
├── UnknownRuntime          no runtime of that name is registered (also a LookupError)
├── RuntimeNotInstalled     the runtime's package is missing or of another version (also an ImportError)
├── MeasurementFailed       a model could not be loaded or run; ``kind`` is an error kind of measurements
└── InvalidSpool            a spool of another target or protocol, or no spool at all (also a ValueError)
"""

from __future__ import annotations

from lookup_tables.records import ErrorKind


class ProfilerError(Exception):
    """Something about measuring; the message says what and what to do."""


class UnknownRuntime(ProfilerError, LookupError):
    """A target names a runtime that nobody has registered."""


class RuntimeNotInstalled(ProfilerError, ImportError):
    """The runtime cannot be imported here."""


class MeasurementFailed(ProfilerError):
    """The runtime refused, crashed, ran out of memory or of time."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class InvalidSpool(ProfilerError, ValueError):
    """The spool cannot be resumed."""
