"""Measured kernels: targets, records, plans, and tables on disk.

Keys, records and plans are light; only what touches tables on disk imports pyarrow, when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lookup_tables.errors import (
    CorruptTable,
    InvalidRecord,
    LookupTableError,
    NewerSchema,
    TableNotFound,
    UnsafeArchive,
    WrongTarget,
)
from lookup_tables.manifest import SCHEMA_VERSION, Manifest
from lookup_tables.plans import PLAN_MODES, SPLITS, Plan, PlanItem, PlanMode, Split
from lookup_tables.records import ERROR_KINDS, MODES, ErrorKind, Measurement, Mode
from lookup_tables.targets import DeviceFingerprint, Target

if TYPE_CHECKING:
    from lookup_tables.sentinel import SentinelReading, sentinel_history
    from lookup_tables.tables import Table, TableVersion, list_tables, read_manifest, read_table, write_table
    from lookup_tables.transfer import export_table, import_table

_LAZY = {
    "SentinelReading": "sentinel", "sentinel_history": "sentinel",
    "Table": "tables", "TableVersion": "tables", "list_tables": "tables", "read_manifest": "tables",
    "read_table": "tables", "write_table": "tables", "export_table": "transfer", "import_table": "transfer",
}  # fmt: skip

__all__ = [
    "ERROR_KINDS",
    "MODES",
    "PLAN_MODES",
    "SCHEMA_VERSION",
    "SPLITS",
    "CorruptTable",
    "DeviceFingerprint",
    "ErrorKind",
    "InvalidRecord",
    "LookupTableError",
    "Manifest",
    "Measurement",
    "Mode",
    "NewerSchema",
    "Plan",
    "PlanItem",
    "PlanMode",
    "SentinelReading",
    "Split",
    "Table",
    "TableNotFound",
    "TableVersion",
    "Target",
    "UnsafeArchive",
    "WrongTarget",
    "export_table",
    "import_table",
    "list_tables",
    "read_manifest",
    "read_table",
    "sentinel_history",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"lookup_tables.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'lookup_tables' has no attribute {name!r}")
