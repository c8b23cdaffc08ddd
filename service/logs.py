"""Structured logs: one JSON object per line, with the id of the request that it belongs to.

What is logged of a request is its method, path, status and duration; never bodies, query strings or headers, in which
secrets and architectures travel.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: The id of the request that is being answered; empty outside of requests.
request_id: ContextVar[str] = ContextVar("request_id", default="")

log = logging.getLogger("archgauge.service")

_HANDLER = "archgauge"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; ``extra={"fields": {…}}`` adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            entry["request_id"] = current
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(entry, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """For people who watch a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        texts = (f"{name}={json.dumps(value, default=str)}" for name, value in fields.items())
        return " ".join((super().format(record), *texts))


def configure(log_format: str, level: str) -> None:
    """Send the service's and the HTTP server's logs to standard error, ``log_format`` being json or text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_HANDLER)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    for name in ("archgauge", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
    logging.getLogger("uvicorn.access").disabled = True  # `service.context` writes a better one
