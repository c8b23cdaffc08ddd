"""What schemathesis has to be told about our media types."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/vnd.apache.arrow.stream")
def as_it_is(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """Bodies that the description has as text or bytes."""
    return value if isinstance(value, bytes) else str(value).encode()
