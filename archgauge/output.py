"""Printing: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

#: Seconds between lines about progress where standard error is not a terminal.
LOG_INTERVAL_S = 15.0
#: What takes less is not worth a line.
WORTH_A_LINE_S = 2.0


class Report(Protocol):
    """Takes the finished share (0 to 1) and a few words about what is going on."""

    def __call__(self, share: float, words: str = "", /) -> None: ...


def stdout() -> Console:
    """Where results go. As wide as tables need where it is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def stderr() -> Console:
    """Where progress and errors go."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(data: Any) -> None:
    """JSON for programs, the only thing on standard output."""
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def table(*columns: str, words: tuple[str, ...] = ()) -> Table:
    """A plain table of numbers, whose first column and those in ``words`` hold text; text wraps, nothing is cut off."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        text = index == 0 or column in words
        result.add_column(column, justify="left" if text else "right", no_wrap=not text, overflow="fold")
    return result


@contextmanager
def progress(description: str) -> Iterator[Report]:
    """A progress bar with the time left; a line now and then where standard error is not a terminal."""
    if sys.stderr.isatty():
        with _bar(description) as report:
            yield report
    else:
        with _lines(description) as report:
            yield report


@contextmanager
def _bar(description: str) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[words]}"),
    )  # fmt: skip
    with Progress(*columns, console=stderr()) as bars:
        task = bars.add_task(description, total=1.0, words="")

        def report(share: float, words: str = "", /) -> None:
            bars.update(task, completed=min(share, 1.0), words=words)

        yield report
        bars.update(task, completed=1.0)


@contextmanager
def _lines(description: str) -> Iterator[Report]:
    begun = time.monotonic()
    said = begun

    def report(share: float, words: str = "", /) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < LOG_INTERVAL_S or not 0 < share < 1:
            return
        said = now
        left = (now - begun) * (1 - share) / share
        print(f"{description}: {share:.0%}, {left:.0f} s left {words}".rstrip(), file=sys.stderr, flush=True)

    yield report
    took_s = time.monotonic() - begun
    if took_s >= WORTH_A_LINE_S:
        print(f"{description}: done in {took_s:.1f} s", file=sys.stderr, flush=True)


def milliseconds(value: float | None) -> str:
    """A latency in ms to three significant digits or so; a dash for none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for none."""
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def coverage(shares: dict[str, float]) -> str:
    """Who answered, by share: ``table 71 % regressor 29 %``; sources without a share are left out."""
    return " ".join(f"{name} {percent(share, 0)}" for name, share in shares.items() if share > 0)
