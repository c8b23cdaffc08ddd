"""What is said about the energy of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EnergyEstimate:
    """Millijoules per run, net of idle; ``gross`` includes the idle power of the same parts."""

    value: float
    lower: float
    upper: float
    gross: float
    method: str = "tdp_guess"
    scope: str = "package"

    def to_json(self) -> dict[str, Any]:
        return {
            "value": self.value, "lower": self.lower, "upper": self.upper, "gross": self.gross, "method": self.method,
            "scope": self.scope,
        }  # fmt: skip
