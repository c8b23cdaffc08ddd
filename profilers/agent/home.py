"""The agent's folder: who it is, the leases that it works on, and what it measured.

::

    agent.json            server, id and key; for the owner's eyes only
    peaks.json            peak rates by target, which take a second to measure
    leases/<id>/lease.json        the task as it was given
    leases/<id>/spool.ndjson      what was measured of it (`profilers.spool`)
    leases/<id>/attempts.json     how often measuring an item was begun

A file is there completely or not at all: it is written beside its place, synced and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archgauge_client.wire_agents import Lease
from profilers.errors import AgentError

#: What may wait to be sent, unless told otherwise, and what the disk must have room for, before work is taken.
MAX_SPOOL_BYTES = 512 * 2**20
ROOM_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the agent is to a server; ``key`` is None where that has no keys."""

    server: str
    agent: str
    name: str
    key: str | None


class Home:
    """An agent's folder; of one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder; raises AgentError where another agent does."""
        try:
            import fcntl
        except ImportError:  # Windows: users have to take care themselves
            yield
            return
        with (self.folder / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AgentError(f"another agent uses {self.folder}; give this one its own --data-dir") from error
            yield

    def identity(self) -> Identity | None:
        """Who it is, None before it enrolled."""
        data = _read(self.folder / "agent.json")
        return None if data is None else Identity(**data)

    def remember(self, identity: Identity) -> None:
        """Keep who it is."""
        _write(self.folder / "agent.json", asdict(identity), private=True)

    def peaks(self) -> dict[str, Any]:
        """Peak rates by target."""
        return _read(self.folder / "peaks.json") or {}

    def keep_peaks(self, target_id: str, peaks: Mapping[str, Any]) -> None:
        _write(self.folder / "peaks.json", {**self.peaks(), target_id: peaks})

    def take(self, lease: Lease) -> LeaseFolder:
        """Keep a lease before anything is done under it."""
        folder = LeaseFolder(self.folder / "leases" / lease.id, lease)
        folder.path.mkdir(parents=True, exist_ok=True)
        _write(folder.path / "lease.json", lease.model_dump(mode="json"))
        return folder

    def leases(self) -> list[LeaseFolder]:
        """What is not sent or not finished yet, the oldest first (ids sort by time)."""
        found = []
        for path in sorted((self.folder / "leases").glob("*")):
            data = _read(path / "lease.json")
            if data is None:
                shutil.rmtree(path, ignore_errors=True)  # it was killed before it began
            else:
                found.append(LeaseFolder(path, Lease.model_validate(data)))
        return found

    def spooled_bytes(self) -> int:
        """What waits to be sent."""
        return sum(file.stat().st_size for file in (self.folder / "leases").glob("*/spool.ndjson"))

    def lack_of_room(self, max_spool_bytes: int = MAX_SPOOL_BYTES) -> str | None:
        """Why no more work may be taken; None if it may."""
        if self.spooled_bytes() > max_spool_bytes:
            return "too much waits to be sent"
        if shutil.disk_usage(self.folder).free < ROOM_BYTES:
            return f"the disk has no room: fewer than {ROOM_BYTES >> 20} MiB are left for {self.folder}"
        return None


@dataclass(frozen=True, slots=True)
class LeaseFolder:
    """A lease and where what is done under it is kept."""

    path: Path
    lease: Lease

    @property
    def spool(self) -> Path:
        return self.path / "spool.ndjson"

    def entries(self, after: int = 0) -> list[dict[str, Any]]:
        """What was measured, as the spool has it, without the first so many; of a line that was cut short nothing."""
        try:
            lines = self.spool.read_bytes().split(b"\n")[1 + after : -1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def begin(self, item: int) -> int:
        """Note that an item is about to be measured; returns how often that was so before."""
        attempts = _read(self.path / "attempts.json") or {}
        before = int(attempts.get(str(item), 0))
        _write(self.path / "attempts.json", {**attempts, str(item): before + 1})
        return before

    def forgive(self, item: int) -> None:
        """What ended measuring an item was not its fault."""
        attempts = _read(self.path / "attempts.json") or {}
        with contextlib.suppress(OSError):  # it is about to end: one death too many is the lesser evil
            _write(self.path / "attempts.json", {**attempts, str(item): max(0, int(attempts.get(str(item), 0)) - 1)})

    def remove(self) -> None:
        """Everything is sent, or nobody wants it."""
        (self.path / "lease.json").unlink(missing_ok=True)  # first: without it the folder means nothing
        shutil.rmtree(self.path, ignore_errors=True)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        data: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return data


def _write(file: Path, data: Mapping[str, Any], *, private: bool = False) -> None:
    beside = file.with_name(f".{file.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
    with os.fdopen(handle, "wb") as stream:
        stream.write(json.dumps(data).encode())
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
