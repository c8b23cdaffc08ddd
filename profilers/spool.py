"""The spool of a run: an append-only NDJSON file, synced after every item.

The first line names the target and the protocol; every other line is an item that was measured, with its raw records
(drift not divided out). After a crash or ``kill -9`` at most the last line is incomplete; it is cut off
when the spool is opened again, and the item counts as not measured.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lookup_tables.errors import InvalidRecord
from lookup_tables.records import Measurement
from profilers import protocol
from profilers.errors import InvalidSpool

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One measured item, identified by its key and repetition. ``seconds`` is what it took of the budget."""

    key: str
    repetition: int
    seconds: float
    records: tuple[Measurement, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "item": self.key,
            "repetition": self.repetition,
            "seconds": round(self.seconds, 4),
            "records": [record.to_json() for record in self.records],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Entry:
        return cls(
            str(data["item"]),
            int(data["repetition"]),
            float(data["seconds"]),
            tuple(map(Measurement.from_json, data["records"])),
        )


class Spool:
    """An open spool; used by one process at a time.

    ``entries`` are all items in it, those of earlier runs first.
    """

    def __init__(self, file: Path, target_id: str) -> None:
        """Open for appending, and make the file if there is none.

        Raises:
            InvalidSpool: it belongs to another target or protocol, or is something else.
        """
        self.entries: list[Entry] = []
        header = {"spool": _FORMAT, "target": target_id, "protocol": protocol.PROTOCOL_VERSION}
        complete = _complete_lines(file)
        if complete:
            _check(file, complete[0], header)
            self.entries = [_entry(file, number, line) for number, line in enumerate(complete[1:], 2)]
            os.truncate(file, sum(len(line) + 1 for line in complete))
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
        self._stream: IO[bytes] = file.open("ab")
        if not complete:
            self._append(header)

    def add(self, entry: Entry) -> None:
        """Append an item; on return it is on disk."""
        self._append(entry.to_json())
        self.entries.append(entry)

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, data: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(data, separators=(",", ":")).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())


def _complete_lines(file: Path) -> Sequence[bytes]:
    """Lines that end with a newline; a write that was cut short leaves one that does not."""
    try:
        return file.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def _check(file: Path, line: bytes, header: Mapping[str, Any]) -> None:
    try:
        found = json.loads(line)
        found = {name: found.get(name) for name in header}
    except (ValueError, AttributeError) as error:
        raise InvalidSpool(f"{file} is not a spool of measurements; name another file") from error
    if found != header:
        raise InvalidSpool(
            f"{file} is a spool of {found}, which cannot be resumed as {dict(header)}; name another file or remove it"
        )


def _entry(file: Path, number: int, line: bytes) -> Entry:
    try:
        return Entry.from_json(json.loads(line))
    except (InvalidRecord, KeyError, TypeError, ValueError) as error:
        raise InvalidSpool(f"line {number} of {file} is damaged: {error!r}") from error
