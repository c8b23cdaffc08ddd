"""Units of what external meters tell: watts or joules, never guessed."""

from __future__ import annotations

from profilers.meters.base import Kind

#: Unit → (kind of channel, factor to watts or joules). There is no ``mj``: it may be a milli- or a megajoule.
UNITS: dict[str, tuple[Kind, float]] = {
    "w": ("power_w", 1.0), "mw": ("power_w", 1e-3), "uw": ("power_w", 1e-6), "kw": ("power_w", 1e3),
    "j": ("energy_j", 1.0), "uj": ("energy_j", 1e-6), "wh": ("energy_j", 3600.0), "kwh": ("energy_j", 3.6e6),
}  # fmt: skip
