"""Stages of a run: made once, kept with the machine that made them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from profilers import fingerprint


@dataclass(frozen=True)
class Run:
    """A folder of stages."""

    folder: Path

    @property
    def data(self) -> Path:
        """The data directory: store, database, spool."""
        return self.folder / "data"

    def stage(self, name: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The result of a stage: read where it was made before, else made now and stored."""
        known = self.result(name)
        if known is not None:
            click.echo(f"{name}: there already", err=True)
            return known
        click.echo(f"{name} …", err=True)
        began = time.time()
        result = dict(make())
        document = {
            "stage": name, "made_at": began, "seconds": time.time() - began, "machine": asdict(fingerprint()),
            "result": result,
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{name}.json"
        draft.write_text(json.dumps(document, indent=1, default=float) + "\n")
        os.replace(draft, self.folder / f"{name}.json")
        return result

    def document(self, name: str) -> dict[str, Any] | None:
        """A stage's file; None where it was not made yet."""
        file = self.folder / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def result(self, name: str) -> dict[str, Any] | None:
        """What a stage found; None where it was not made yet."""
        document = self.document(name)
        return None if document is None else document["result"]
