"""Model files on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archgauge.errors import UnreadableModel

if TYPE_CHECKING:
    from graphs import Graph


def read(file: Path) -> bytes:
    """The contents of a model file; raises UnreadableModel where there is none."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableModel(f"{file}: {error.strerror or error}") from error
    if not data:
        raise UnreadableModel(f"{file}: the file is empty")
    return data


def prepare(file: Path, bindings: dict[str, Any]) -> Graph:
    """The graph in a file, bound and with all shapes; errors of `graphs` name the file."""
    import graphs

    try:
        return graphs.prepare(graphs.read(read(file), file.stem), **bindings)
    except graphs.GraphError as error:
        raise UnreadableModel(f"{file}: {error}") from error


def names(files: Iterable[Path]) -> dict[Path, str]:
    """What to call each file in a table: its name, or its path where names coincide."""
    files = list(files)
    counted = [file.name for file in files]
    return {file: file.name if counted.count(file.name) == 1 else str(file) for file in files}
