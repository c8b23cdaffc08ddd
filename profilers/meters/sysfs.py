"""Numbers in files of the kernel."""

from __future__ import annotations

import math
from pathlib import Path


def text_of(file: Path) -> str:
    """A file's text without white space around it; empty where it cannot be read."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def number_of(file: Path) -> float | None:
    """The number in a file; None where there is none, whatever the reason: the file has gone, the driver answers with
    an error, the device sleeps.
    """
    try:
        value = float(file.read_text())
    except (OSError, ValueError):
        return None
    return value if math.isfinite(value) else None


def may_read(file: Path) -> bool:
    """Whether the system lets this process read ``file``; False only where permission is what is missing."""
    try:
        with file.open("rb") as stream:
            stream.read(1)
    except PermissionError:
        return False
    except OSError:
        return True
    return True
