"""Examples of what agents and those who send them to measure send and get. The tests send every one of them."""

from __future__ import annotations

from typing import Any

from lookup_tables import DeviceFingerprint, Measurement, PlanItem, Target
from service.examples import PREDICTOR_VERSION, TABLE_VERSION, TINY_GRAPH

TARGET = Target(DeviceFingerprint("Example board", architecture="aarch64", cores=4), runtime_version="1.31.1")
ITEM = PlanItem("resnet", 7, "whole_model")

_TIMES = {"enrolled_at": "2026-01-02T03:04:05Z", "seen_at": "2026-01-02T03:14:15Z"}
AGENT: dict[str, Any] = {
    "id": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c77", "name": "board 7", "target": TARGET.id, "protocol": 1,
    "temperature_c": 51.5, "sentinel_us": 1240.0, "waits": None, **_TIMES,
}  # fmt: skip
NEW_AGENT: dict[str, Any] = {**AGENT, "key": "ag_0a1b2c3d4e5f_" + 43 * "x"}

ENROLMENT: dict[str, Any] = {
    "id": "0a1b2c3d4e5f", "name": "board 7", "token": "ae_0a1b2c3d4e5f_" + 43 * "x",
    "expires_at": "2026-01-02T04:04:05Z",
}  # fmt: skip
ENROLMENT_REQUESTS: dict[str, Any] = {
    "hour": {"summary": "To be used within an hour", "value": {"name": "board 7"}},
    "day": {"summary": "To be used within a day", "value": {"name": "board 8", "expires_in_s": 86_400}},
}
AGENT_REQUESTS: dict[str, Any] = {
    "key": {
        "summary": "With a key that may measure; with a one-time token, `token` is that",
        "value": {"token": None, "name": "board 7", "target": TARGET.to_json(), "facts": {"protocol": 1}},
    },
}
LEASE_REQUESTS: dict[str, Any] = {
    "now": {"summary": "Whether there is work", "value": {"target": TARGET.to_json()}},
}

LEASE: dict[str, Any] = {
    "id": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c88", "fence": 1, "campaign": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c99",
    "target": TARGET.id, "protocol": 1, "ttl_s": 60.0, "until": "2026-01-02T03:05:05Z",
    "limits": {"seconds": 120.0, "memory_bytes": None},
    "items": [{"index": 0, "item": ITEM.to_json(), "graph": None, "repetition": 0}],
}  # fmt: skip
HEARTBEAT_REQUESTS: dict[str, Any] = {
    "alive": {"summary": "Still at it", "value": {"fence": 1, "temperature_c": 51.5, "sentinel_us": 1240.0}},
}
CHUNK_REQUESTS: dict[str, Any] = {
    "whole": {
        "summary": "A network that was measured as a whole",
        "value": {
            "fence": 1, "item": ITEM.key, "repetition": 0, "seconds": 0.9,
            "records": [Measurement("whole_model", latency_us=1234.5, runs=40, context=ITEM.network).to_json()],
        },
    },
}  # fmt: skip

CAMPAIGN: dict[str, Any] = {
    "id": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c99", "name": "attention", "target": TARGET.id, "goal": "learn",
    "state": "succeeded", "round": 3, "rounds": 3, "budget_s": 600.0, "spent_s": 600.4,
    "tasks": {"queued": 0, "leased": 0, "done": 61, "quarantined": 0, "cancelled": 4},
    "job": "0192f1c6-1a2b-7c43-9a57-5b8f2a6f0c12",
    "result": {
        "table": TABLE_VERSION, "predictor": PREDICTOR_VERSION, "promoted": True, "why": "the first of its target",
    },
    "error": None, "requested_by": "0a1b2c3d4e5f", "created_at": "2026-01-02T03:04:05Z",
    "finished_at": "2026-01-02T03:24:05Z",
}  # fmt: skip
CAMPAIGN_REQUESTS: dict[str, Any] = {
    "kinds": {
        "summary": "Learn about kernels",
        "value": {"target": "example", "kernel_kinds": ["MatMul", "Softmax"], "budget_s": 600},
    },
    "architectures": {
        "summary": "Be surer of an architecture",
        "value": {"target": "example", "architectures": [{"format": "graph", "graph": TINY_GRAPH}]},
    },
    "finalists": {
        "summary": "Measure an architecture itself",
        "value": {
            "target": "example", "goal": "measure", "architectures": [{"format": "graph", "graph": TINY_GRAPH}],
        },
    },
}  # fmt: skip
EVENT_STREAM = (
    'id: 17\nevent: progress\ndata: {"at":"2026-01-02T03:04:09Z","progress":0.4,"words":"mbconv:17",'
    f'"agent":"{AGENT["id"]}","seconds":3.2,"records":61,"failed":2,"errors":{{"timeout":2}}}}\n\n'
)
