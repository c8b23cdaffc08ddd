"""Folders that appear complete or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def temporary_folder(home: Path) -> Iterator[Path]:
    """A new folder in ``home``, removed at the end unless it was published."""
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, place: Path) -> None:
    """Put a finished folder into its place, also where a crash left one that the database never learned of."""
    folder.chmod(0o755)
    if place.exists():
        shutil.rmtree(place)
    folder.rename(place)
    _sync(place.parent)


def keep(folder: Path, place: Path) -> None:
    """Put a finished folder into its place, unless another process was faster with the same one."""
    folder.chmod(0o755)
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def discard(place: Path) -> None:
    """Remove a folder, so that nobody finds half of it; somebody else may have been faster."""
    with temporary_folder(place.parent) as folder, suppress(FileNotFoundError):
        place.rename(folder / place.name)


def sync_and_hash(folder: Path) -> str:
    """Write everything to the disk and return its `hash_files`."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)
    return hash_files(folder)


def hash_files(folder: Path) -> str:
    """SHA-256 over the names and contents of all files."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
