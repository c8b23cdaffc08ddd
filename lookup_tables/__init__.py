"""Measured kernels: targets, records, plans, and tables on disk."""

from lookup_tables.errors import (
    CorruptTable,
    InvalidRecord,
    LookupTableError,
    NewerSchema,
    TableNotFound,
    UnsafeArchive,
    WrongTarget,
)
from lookup_tables.plans import PLAN_MODES, SPLITS, Plan, PlanItem, PlanMode, Split

__all__ = [
    "PLAN_MODES",
    "SPLITS",
    "CorruptTable",
    "InvalidRecord",
    "LookupTableError",
    "NewerSchema",
    "Plan",
    "PlanItem",
    "PlanMode",
    "Split",
    "TableNotFound",
    "UnsafeArchive",
    "WrongTarget",
]
