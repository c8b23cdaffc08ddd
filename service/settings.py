"""Settings of the service: values that are passed in, never a global object."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import platformdirs

MIB = 1024 * 1024


def default_data_dir() -> Path:
    """The platform's folder for a user's data."""
    return Path(platformdirs.user_data_dir("archgauge", appauthor=False))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; environment variables are the names in capitals after ``ARCHGAUGE_``.

    Times are seconds, sizes bytes.
    """

    data_dir: Path
    #: ``postgresql://…`` or ``sqlite:///…``; empty for SQLite in the data directory. It may hold a password.
    database_url: str = field(default="", repr=False)
    #: Where versions are kept for several machines: any URL of fsspec; empty for the data directory. It may hold a
    #: secret.
    store_url: str = field(default="", repr=False)
    #: Whether the server carries out jobs itself, or leaves them to `archgauge worker`.
    embedded_worker: bool = True
    #: A job whose worker says nothing for so long goes on with another one; and how often to look for jobs.
    job_lease_s: float = 15.0
    job_poll_s: float = 1.0
    #: An agent that says nothing for so long loses its task.
    lease_ttl_s: float = 90.0
    #: Answer everybody, from anywhere, as long as there are no API keys. Without, only this machine is answered then.
    allow_without_keys: bool = False
    #: A body may have this many bytes, and as many again after decompression.
    max_body_bytes: int = 64 * MIB
    max_graph_nodes: int = 50_000
    #: A request that takes longer is refused with 504.
    request_time_limit_s: float = 30.0
    #: Threads that price architectures; 0 for one per processor.
    threads: int = 0
    #: Requests that may wait for a thread; more are refused with 503.
    max_waiting: int = 64
    #: Batches that may be under way; more are refused with 503.
    max_batches: int = 16
    #: Predictions per second for each API key, and for each address where there are no keys; 0 for any number.
    rate_per_key: float = 0.0
    rate_per_address: float = 0.0
    #: Loaded predictors that are kept in memory.
    max_loaded_predictors: int = 8
    #: Promotions are noticed after at most this long.
    refresh_s: float = 1.0
    #: Stored predictions beyond this number are deleted, oldest first.
    max_stored_predictions: int = 100_000
    #: On SQLite, sync the disk before an answer's id is given away, so that not even a power failure takes it.
    sync_predictions: bool = False
    #: Jobs that are over beyond this number are deleted, oldest first.
    max_finished_jobs: int = 1_000
    #: Compiled search spaces beyond this number are deleted, those first that were not used for longest; asking for one
    #: compiles it again.
    max_compiled_spaces: int = 200
    #: Lines of JSON for machines, or plain text.
    log_format: str = "json"
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: object) -> Settings:
        """Settings from ``ARCHGAUGE_…`` variables; ``given`` ones win.

        Raises:
            ValueError: a variable holds what is no number.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {"data_dir": default_data_dir()}
        for known in fields(cls):
            text = environment.get(f"ARCHGAUGE_{known.name.upper()}")
            if text is not None:
                values[known.name] = _parse(known.name, str(known.type), text)
        return cls(**{**values, **given})  # type: ignore[arg-type]

    def to_environment(self) -> dict[str, str]:
        """The variables from which `from_environment` makes these settings again, in another process."""
        return {f"ARCHGAUGE_{known.name.upper()}": str(getattr(self, known.name)) for known in fields(self)}

    @property
    def worker_threads(self) -> int:
        """The number of threads that price architectures."""
        return self.threads or _processors()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parse(name: str, kind: str, text: str) -> object:
    parsers: dict[str, Callable[[str], object]] = {
        "Path": Path, "str": str, "int": int, "float": float, "bool": _truth,
    }  # fmt: skip
    try:
        return parsers[kind](text)
    except (KeyError, ValueError) as error:
        expected = "yes or no" if kind == "bool" else "a number"
        raise ValueError(f"ARCHGAUGE_{name.upper()} must be {expected}, not {text!r}") from error


def _truth(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}[text.lower()]
