"""Sources → one estimate per kernel: table and regressor weighted by inverse variance, else roofline, else nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors.baseline import Baseline
from predictors.context import Context, contexts_of
from predictors.features import UNREADABLE
from predictors.regressors import Regressor
from predictors.roofline import Roofline, is_priceable
from predictors.rough import RoughTime
from predictors.table_source import TableSource
from predictors.work import FLOPS, work_of

Floats = NDArray[np.float64]

Source = Literal["table", "regressor", "roofline", "unsupported"]

#: The regressor's expected error is multiplied by this for kernels unlike all that it learned from.
_STRANGE_FACTOR = 3.0


class Estimate(NamedTuple):
    """What a kernel takes inside a network, before composition."""

    #: Microseconds; 0 for unsupported kernels, which no sum may use unasked.
    time_us: float
    #: Standard deviation of the log of measured over estimated time that is to be expected.
    sigma: float
    source: Source
    #: ``compute``, ``memory`` or ``launch``.
    bound: str
    #: Unlike anything measured.
    strange: bool
    flops: int
    #: Seconds of arithmetic over seconds of traffic by the baseline, as share of both: 1 is all arithmetic.
    compute_share: float


@dataclass(frozen=True, slots=True)
class Estimator:
    """All sources of a target."""

    baseline: Baseline
    regressors: Mapping[str, Regressor]
    table: TableSource
    roofline: Roofline
    rough: RoughTime

    def contexts(self, kernels: Sequence[Kernel]) -> list[Context]:
        """What surrounds each kernel of a run, which are in order of execution."""
        return self.contexts_of_runs([kernels])[0]

    def contexts_of_runs(self, runs: Sequence[Sequence[Kernel]]) -> list[list[Context]]:
        """As `contexts`, for many runs."""
        each_us = iter(self.rough.kernels_us([kernel for kernels in runs for kernel in kernels]))
        return [contexts_of(kernels, sum(islice(each_us, len(kernels)))) for kernels in runs]

    def estimate(self, kernels: Sequence[Kernel], contexts: Sequence[Context]) -> list[Estimate]:
        """One estimate per kernel in its context, in the same order."""
        if not kernels:
            return []
        work = work_of(kernels)
        log_us, sigma, strange = self.regress(kernels, work, contexts)
        regressed = np.isfinite(log_us)
        in_table = self.table.consult(kernels, log_us, sigma)
        bounds = self.baseline.bounds(work)
        compute, memory = self.baseline.compute_us(work), self.baseline.memory_us(work)
        shares = (compute / np.maximum(compute + memory, 1e-12)).tolist()
        flops = work[:, FLOPS].astype(int).tolist()
        estimates = []
        for i, kernel in enumerate(kernels):
            source: Source = "table" if in_table[i] else "regressor" if regressed[i] else "roofline"
            if source == "roofline":
                if not is_priceable(kernel.kind):
                    estimates.append(Estimate(0.0, 0.0, "unsupported", bounds[i], True, flops[i], shares[i]))
                    continue
                log_us[i], sigma[i] = self.roofline.answer(kernel.kind, self.baseline, work[i : i + 1])
                strange[i] = True
            time_us = float(np.exp(log_us[i]))
            estimates.append(
                Estimate(time_us, float(sigma[i]), source, bounds[i], bool(strange[i]), flops[i], shares[i])
            )
        return estimates

    def regress(
        self, kernels: Sequence[Kernel], work: Floats, contexts: Sequence[Context]
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """What the regressors say: log microseconds, sigma and strangeness; NaN where none answers for the kind."""
        log_us, sigma = np.full(len(kernels), np.nan), np.full(len(kernels), np.nan)
        strange = np.zeros(len(kernels), dtype=bool)
        places: dict[str, list[int]] = {}
        for i, kernel in enumerate(kernels):
            regressor = self.regressors.get(kernel.kind)
            if regressor is not None:
                places.setdefault(regressor.name, []).append(i)
        log_base = np.log(self.baseline.time_us(work))
        for where in places.values():
            regressor = self.regressors[kernels[where[0]].kind]
            try:
                answers = regressor.answer([kernels[i] for i in where], work[where], [contexts[i] for i in where])
            except UNREADABLE:  # some kernel lacks what its kind should have: the others are answered without it
                where = [i for i in where if regressor.group.reads(kernels[i])]
                if not where:
                    continue
                answers = regressor.answer([kernels[i] for i in where], work[where], [contexts[i] for i in where])
            log_us[where] = log_base[where] + answers.log_ratio
            sigma[where] = answers.sigma * np.where(answers.strange, _STRANGE_FACTOR, 1.0)
            strange[where] = answers.strange
        return log_us, sigma, strange
