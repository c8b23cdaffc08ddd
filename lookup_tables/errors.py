"""What can be wrong with targets, plans and lookup tables.

LookupTableError (Exception)
├── InvalidRecord       JSON that is not a target, a plan or a measurement (also a ValueError)
├── TableNotFound       no such target, version or folder (also a LookupError)
├── CorruptTable        a checksum, a count or a file does not agree with the manifest
├── NewerSchema         written by a later version of ArchGauge than this one
├── WrongTarget         measurements of one target offered to a table of another (also a ValueError)
└── UnsafeArchive       an archive that would write outside its folder, is too large or holds strange files
"""

from __future__ import annotations


class LookupTableError(Exception):
    """Something about stored measurements; the message says what and what to do."""


class InvalidRecord(LookupTableError, ValueError):
    """The data does not describe a target, a plan or a measurement."""


class TableNotFound(LookupTableError, LookupError):
    """There is no table where one was asked for."""


class CorruptTable(LookupTableError):
    """A table's files do not agree with its manifest."""


class NewerSchema(LookupTableError):
    """The table was written with a schema that this version does not know."""


class WrongTarget(LookupTableError, ValueError):
    """Measurements of different targets never share a table."""


class UnsafeArchive(LookupTableError):
    """An archive that is refused before anything of it is kept."""
