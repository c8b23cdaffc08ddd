"""Examples of what administrators send and get, for the API's documentation. The tests send every one of them."""

from __future__ import annotations

from typing import Any

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
