"""The last source: the baseline for kernels of kinds that were never measured, and what not even that can price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.baseline import Baseline
from predictors.features import GROUPS, group_of
from predictors.features.generic import KNOWN as KNOWN_ATTENTION

Floats = NDArray[np.float64]

#: Standard deviation of log time for a kind never measured, at least: a factor of two either way.
_SIGMA = 0.7

#: The same where nothing of the feature group was measured.
_SIGMA_BLIND = 1.1

#: Domains whose operators we know by name.
_STANDARD, _CONTRIBUTED = ("", "ai.onnx"), ("com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")

#: Operators of the standard whose work is not said by their operands: control flow, sequences, optionals, text, images,
#: random searches through data.
_UNPRICEABLE = frozenset({
    "If", "Loop", "Scan", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
    "SequenceLength", "SequenceMap", "ConcatFromSequence", "SplitToSequence", "Optional", "OptionalGetElement",
    "OptionalHasElement", "StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer",
    "ImageDecoder", "NonMaxSuppression", "Unique", "Constant",
})  # fmt: skip


def is_priceable(kind: str) -> bool:
    """Whether operands say what a kernel of this kind costs, at least roughly."""
    domain, _, operator = kind.rpartition(".")
    if operator in _UNPRICEABLE:
        return False
    if domain in _STANDARD:
        return True
    return domain in _CONTRIBUTED and (group_of(kind) is not GROUPS["generic"] or operator in KNOWN_ATTENTION)


@dataclass(frozen=True, slots=True)
class Roofline:
    """The baseline, corrected by how far the measured kinds of a feature group lie above theirs.

    ``shift`` and ``sigma`` are mean and standard deviation of log time over the baseline by group; ``""`` is all.
    """

    shift: Mapping[str, float]
    sigma: Mapping[str, float]

    @classmethod
    def fitted(cls, kinds: Sequence[str], log_ratio: Floats) -> Roofline:
        """From the kinds and log ratios of measured rows; every kind counts once, however often it was measured."""
        medians: dict[str, list[float]] = {"": []}
        spread: dict[str, list[float]] = {"": []}
        names = np.array(kinds)
        for kind in sorted(set(kinds)):
            values = log_ratio[names == kind]
            for group in ("", group_of(kind).name):
                medians.setdefault(group, []).append(float(np.median(values)))
                spread.setdefault(group, []).append(float(np.std(values)))
        shift = {group: float(np.median(v)) if v else 0.0 for group, v in medians.items()}
        sigma = {
            group: max(float(np.hypot(np.std(v), np.median(spread[group]))), _SIGMA) if v else _SIGMA_BLIND
            for group, v in medians.items()
        }
        sigma[""] = max(sigma[""], _SIGMA_BLIND)
        return cls(shift, sigma)

    def answer(self, kind: str, baseline: Baseline, work: Floats) -> tuple[float, float]:
        """(log microseconds, sigma) of one kernel; ``work`` is ``[1, 4]``."""
        group = group_of(kind).name
        group = group if group in self.shift else ""
        return float(np.log(baseline.time_us(work)[0])) + self.shift[group], self.sigma[group]

    def to_json(self) -> dict[str, Any]:
        return {"shift": dict(self.shift), "sigma": dict(self.sigma)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Roofline:
        return cls(dict(data["shift"]), dict(data["sigma"]))
