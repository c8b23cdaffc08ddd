"""The state of a data directory: its settings and its store."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from archgauge.errors import CommandError
from service.settings import Settings
from service.store import Store


def settings(data_dir: Path) -> Settings:
    """Settings of the environment for a data directory; raises CommandError for a variable that holds nonsense."""
    try:
        return Settings.from_environment(data_dir=data_dir)
    except ValueError as error:
        raise CommandError(str(error)) from error


def service_settings(data_dir: Path) -> Settings:
    """`settings` for a process that logs: as text where somebody watches and nothing else was chosen."""
    chosen = settings(data_dir)
    if sys.stderr.isatty() and "ARCHGAUGE_LOG_FORMAT" not in os.environ:
        return replace(chosen, log_format="text")
    return chosen


def open_store(data_dir: Path) -> Store:
    """The store of a data directory, made and its database upgraded where needed."""
    chosen = settings(data_dir)
    try:
        return Store.open(chosen.data_dir, chosen.database_url, chosen.store_url)
    except ValueError as error:
        raise CommandError(str(error)) from error
