"""Energy of kernels and runs: by power that was fitted to metered windows, or by a guess where nothing was metered."""

from __future__ import annotations

from predictors.energy.estimate import EnergyEstimate
from predictors.energy.fitted import FittedPower
from predictors.energy.guess import PowerGuess, factor_of

Power = PowerGuess | FittedPower

__all__ = ["EnergyEstimate", "FittedPower", "Power", "PowerGuess", "factor_of"]
