"""What can be wrong with predictors and what they are asked.

PredictorError (Exception)
├── UnpriceableKernels      kernels that no source can price; ``operators`` lists them (also a ValueError)
├── NotEnoughMeasurements   a table with too little in it to train on (also a ValueError)
├── NoLookupTable           a search space that is no chain of layers (also a ValueError)
├── CorruptPredictor        an artifact whose files do not agree with its manifest
└── IncompatiblePredictor   an artifact of another schema, feature schema or kind
"""

from __future__ import annotations

from collections.abc import Sequence


class PredictorError(Exception):
    """Something about predictors; the message says what and what to do."""


class UnpriceableKernels(PredictorError, ValueError):
    """The graph has kernels that neither a table, a regressor nor a roofline can price."""

    def __init__(self, operators: Sequence[str]) -> None:
        self.operators = tuple(sorted(set(operators)))
        super().__init__(
            f"no source can price {', '.join(self.operators)}; "
            "ask without `strict` for a lower bound that leaves them out"
        )


class NotEnoughMeasurements(PredictorError, ValueError):
    """A table has too few usable measurements."""


class NoLookupTable(PredictorError, ValueError):
    """A search space whose architectures are priced one by one has no table of choices and layers."""


class CorruptPredictor(PredictorError):
    """A predictor's files are missing, changed or contradict its manifest."""


class IncompatiblePredictor(PredictorError):
    """A predictor was made by a version of ArchGauge whose artifacts or features this one does not read."""
