"""The kinds of jobs that there are. A job is data; only what is listed here is ever run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from service.jobs import campaigning, compiling, training
from service.jobs.context import JobContext

RUN: Mapping[str, Callable[[JobContext], None]] = {
    "campaign": campaigning.run,
    "compile": compiling.run,
    "train": training.run,
}
