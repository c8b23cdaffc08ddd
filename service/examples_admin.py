"""Examples of what administrators send and get, for the API's documentation. The tests send every one of them."""

from __future__ import annotations

from typing import Any

from service.examples import PREDICTOR_VERSION, TABLE_VERSION, TARGET_ID

KEY: dict[str, Any] = {
    "id": "0a1b2c3d4e5f", "name": "search job", "scopes": ["predict"], "state": "active",
    "created_at": "2026-01-02T03:04:05Z", "expires_at": "2026-04-02T03:04:05Z", "revoked_at": None,
}  # fmt: skip

NEW_KEY: dict[str, Any] = {**KEY, "token": "ag_0a1b2c3d4e5f_" + 43 * "x"}

KEY_REQUESTS: dict[str, Any] = {
    "search": {
        "summary": "A key for a search job, for three months",
        "value": {"name": "search job", "scopes": ["predict"], "expires_in_days": 90},
    },
    "agent": {"summary": "A key for a device that measures", "value": {"name": "board 7", "scopes": ["agent"]}},
}

JOB: dict[str, Any] = {
    "id": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c12", "kind": "train",
    "arguments": {"target": TARGET_ID, "table": TABLE_VERSION, "seed": 0, "promote": "unless_worse"},
    "state": "running", "progress": 0.4, "words": "com.microsoft.nchwc.Conv", "result": {}, "error": None,
    "requested_by": "0a1b2c3d4e5f", "created_at": "2026-01-02T03:04:05Z", "started_at": "2026-01-02T03:04:06Z",
    "finished_at": None,
}  # fmt: skip

JOB_LOG: list[dict[str, Any]] = [
    {"at": "2026-01-02T03:04:07Z", "text": f"training on 30,412 measurements of {TABLE_VERSION}"}
]

EVENT_STREAM = """id: 17
event: progress
data: {"at":"2026-01-02T03:04:09Z","progress":0.4,"words":"com.microsoft.nchwc.Conv"}

"""

TRAINING_REQUESTS: dict[str, Any] = {
    "newest": {"summary": "On the newest table of the target measured last", "value": {}},
    "kept back": {"summary": "To be looked at before it answers", "value": {"promote": "never", "seed": 7}},
}

PROMOTION_REQUESTS: dict[str, Any] = {
    "note": {"summary": "With a reason for the history", "value": {"note": "better on small networks"}},
}

PROMOTION: dict[str, Any] = {
    "version": PREDICTOR_VERSION, "promoted_at": "2026-01-02T03:14:15Z", "note": "better on small networks",
}  # fmt: skip
