"""Where runtimes put what nobody reads twice: optimised models and profiles, in memory where there is room.

A measuring process that is killed cannot clean up, so its parent gives it a folder and removes that.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

#: Names the folder that the parent of a measuring process provides.
SCRATCH_VARIABLE = "ARCHGAUGE_SCRATCH"

_MEMORY_FILES = Path("/dev/shm")
_ROOM = 2 * 2**30


def make_scratch() -> Path:
    """A new folder, which whoever asks for it removes."""
    given = os.environ.get(SCRATCH_VARIABLE)
    if given and Path(given).is_dir():
        return Path(tempfile.mkdtemp(dir=given))
    usable = _MEMORY_FILES.is_dir() and os.access(_MEMORY_FILES, os.W_OK)
    room = usable and shutil.disk_usage(_MEMORY_FILES).free > _ROOM
    return Path(tempfile.mkdtemp(prefix="archgauge-", dir=_MEMORY_FILES if room else None))


def remove_given() -> None:
    """Remove the folder that a parent gave, for a process that may have outlived it."""
    given = os.environ.get(SCRATCH_VARIABLE)
    if given:
        shutil.rmtree(given, ignore_errors=True)
