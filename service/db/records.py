"""What the repositories return: plain values that outlive their session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A target; ``document`` is `lookup_tables.Target.to_json`."""

    id: str
    document: Mapping[str, Any]
    emulated: bool
    created_at: datetime
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRecord:
    """A lookup table version."""

    target_id: str
    version: str
    manifest: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PredictorRecord:
    """A predictor version with the versions of the tables that it was trained on."""

    target_id: str
    version: str
    sha256: str
    report: Mapping[str, Any]
    created_at: datetime
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromotionRecord:
    """Since when a predictor answers for its target, and why."""

    predictor: PredictorRecord
    promoted_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """An answer that was given; ``answer`` is its JSON text."""

    id: str
    created_at: datetime
    request: Mapping[str, Any]
    answer: bytes
