"""Ids that sort by time."""

from __future__ import annotations

import os
import time
import uuid


def new_id() -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds since 1970, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=number))
