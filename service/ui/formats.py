"""Numbers as people read them: three significant digits, with units, a dash for what is not known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

DASH = "–"

_NUMBER_AND_UNIT = re.compile(r"(\d) (%|ms|mJ|MB)")
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def digits(value: float | None, significant: int = 3) -> str:
    """``0.0123``, ``5.12``, ``1,234``: never with an exponent, and no more digits than say something."""
    if value is None:
        return DASH
    if value == 0:
        return "0"
    decimals = significant - 1
    size = abs(value)
    while size >= 10 and decimals > 0:
        size, decimals = size / 10, decimals - 1
    while size < 1 and decimals < significant + 5:
        size, decimals = size * 10, decimals + 1
    return f"{value:,.{decimals}f}"


def ms(value: float | None) -> str:
    """Milliseconds."""
    return DASH if value is None else f"{digits(value)} ms"


def mj(value: float | None) -> str:
    """Millijoules."""
    return DASH if value is None else f"{digits(value)} mJ"


def mb(value: float | None) -> str:
    """Bytes as megabytes of a million."""
    return DASH if value is None else f"{digits(value / 1e6)} MB"


def count(value: float | None, unit: str = "") -> str:
    """``708 M``, ``1.24 GFLOPs``: with a prefix before the unit."""
    if value is None:
        return DASH
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{digits(value / size)} {prefix}{unit}"
    return f"{digits(value, 1 if value == int(value) else 3)} {unit}".strip()


def exact(value: float | None) -> str:
    """A number that somebody typed: as short as it can be."""
    return "" if value is None else f"{value:.12g}"


def percent(share: float | None, decimals: int = 1) -> str:
    """A share of one, in percent."""
    return DASH if share is None else f"{100 * share:.{decimals}f} %"


def signed_percent(share: float | None) -> str:
    """A signed deviation, in percent."""
    if share is None:
        return DASH
    percents = round(100 * share, 1)
    return f"{percents:+.1f} %".replace("-", "−") if percents else "0.0 %"


def unbroken(text: str) -> str:
    """A sentence whose numbers stay on the line of their units."""
    return _NUMBER_AND_UNIT.sub("\\1\u00a0\\2", text)


def thousands(value: int | None) -> str:
    """A whole number with separators."""
    return DASH if value is None else f"{value:,}"


def names(nodes: Sequence[str], longest: int = 100) -> str:
    """Names of a kernel's nodes, cut where there are many or long ones."""
    text = ", ".join(nodes[:3])
    return text[:longest] + (" …" if len(nodes) > 3 or len(text) > longest else "")


def operator(kind: str) -> str:
    """The name of a kernel kind without its domain."""
    return kind.rpartition(".")[2]


def domain(kind: str) -> str:
    """What tells kinds of one operator apart: ``nchwc`` of ``com.microsoft.nchwc.Conv``; empty for the standard's."""
    return kind.rpartition(".")[0].rpartition(".")[2]


def labelled(kind: str) -> str:
    """``Conv``, or ``Conv (nchwc)`` where a domain tells operators of one name apart."""
    return f"{operator(kind)} ({domain(kind)})" if domain(kind) else operator(kind)


def moment(text: str | None) -> str:
    """``2026-01-02 03:04`` of an RFC 3339 time."""
    return DASH if not text else text[:16].replace("T", " ")


def age(text: str | None, now: datetime | None = None) -> str:
    """``3 hours ago``."""
    if not text:
        return DASH
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(text)).total_seconds()
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        number = int(seconds // size)
        if number:
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def duration(seconds: float | None) -> str:
    """``42 s``, ``8 min``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds is None:
        return DASH
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{minutes // 1440} d" + (f" {minutes % 1440 // 60} h" if minutes % 1440 >= 60 else "")


FILTERS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        digits, exact, ms, mj, mb, count, percent, signed_percent, thousands, names, operator, domain, labelled,
        unbroken, moment, age, duration,
    )
}  # fmt: skip
