"""Records of items that could not be measured: a failure is a result, never dropped."""

from __future__ import annotations

import time
from dataclasses import replace

from lookup_tables.plans import PlanItem
from lookup_tables.records import ErrorKind, Measurement, Mode
from profilers import protocol


def common_record(item: PlanItem, repetition: int, session: str) -> Measurement:
    """What all records of an item share; it stands for a failure until something was measured."""
    mode: Mode = "whole_model" if item.mode == "network+whole" or item.mode == "metered" else item.mode
    return Measurement(
        mode,
        error="crash",
        context=item.network,
        session=session,
        protocol=protocol.PROTOCOL_VERSION,
        started_at=time.time(),
        split=item.split,
        repetition=repetition,
    )


def failed(common: Measurement, kind: ErrorKind, detail: str) -> Measurement:
    """The record of an item that could not be measured."""
    return replace(common, error=kind, detail=detail[:1000])
