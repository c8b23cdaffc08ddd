"""What the sources would have said of networks unlike all that they learned from.

The members of the regressors have each left out one fold of the families. For the networks of a fold, that member and
a table without the fold's measurements stand for a predictor that meets a new family: the same pipeline with the same
blending, so that what intervals are calibrated on is what they will be used for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphs.kernels import Kernel
from predictors.context import HOT
from predictors.estimates import Estimate, Estimator
from predictors.observations import Observations, family_of
from predictors.regressors import Trained
from predictors.table_source import TableSource
from predictors.work import work_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidation:
    """Estimates by those who have not seen the family."""

    #: One estimator per fold.
    estimators: tuple[Estimator, ...]
    trained: Trained

    @classmethod
    def of(
        cls, estimator: Estimator, trained: Trained, rows: Observations, base: Floats, alone: Observations
    ) -> CrossValidation:
        """``estimator`` has the regressors; ``rows`` and ``base`` (log microseconds) are what they learned from."""
        isolated = np.array([trained.folds.get(f, -1) for f in alone.families], dtype=np.intp)[alone.network]
        work = work_of(alone.kernels)
        estimators = []
        for fold in range(trained.members.shape[1]):
            members = {kind: replace(r, member=fold) for kind, r in estimator.regressors.items()}
            regressing = replace(estimator, regressors=members, table=TableSource.empty())
            others = trained.fold != fold
            said = trained.members[others, fold] + base[others]
            kept = isolated != fold
            hot_said = regressing.regress(alone.kernels, work, [HOT] * len(alone.kernels))[0][alone.which[kept]]
            table = TableSource.of(rows.only(others), said, alone.only(kept), hot_said)
            estimators.append(replace(regressing, table=table))
        return cls(tuple(estimators), trained)

    def rows(self, rows: Observations, base: Floats) -> tuple[Floats, Floats]:
        """(log microseconds, sigma) of every row; NaN where its kind is too rare to learn from."""
        log_us, sigma = self.trained.unseen + base, self.trained.sigma.copy()
        for fold, estimator in enumerate(self.estimators):
            mine = np.flatnonzero((self.trained.fold == fold) & np.isfinite(log_us))
            said, expected = log_us[mine], sigma[mine]
            estimator.table.consult([rows.kernels[i] for i in rows.which[mine]], said, expected)
            log_us[mine], sigma[mine] = said, expected
        return log_us, sigma

    def networks(self, asked: Sequence[tuple[str, Sequence[Kernel]]]) -> list[list[Estimate]]:
        """Estimates of the runs of networks, each given with its context's name; all of a fold in one call."""
        found: list[list[Estimate]] = [[] for _ in asked]
        folds = [self.trained.folds.get(family_of(name), 0) for name, _ in asked]
        for fold, estimator in enumerate(self.estimators):
            mine = [i for i, f in enumerate(folds) if f == fold]
            questions = [list(zip(asked[i][1], estimator.contexts(asked[i][1]), strict=True)) for i in mine]
            distinct = list(dict.fromkeys(q for questions_ in questions for q in questions_))
            answers = dict(zip(distinct, estimator.estimate(*_columns(distinct)), strict=True))
            for i, questions_ in zip(mine, questions, strict=True):
                found[i] = [answers[q] for q in questions_]
        return found


def _columns(pairs: Sequence[tuple[Kernel, tuple[int, int, int]]]) -> tuple[list[Kernel], list[tuple[int, int, int]]]:
    return [kernel for kernel, _ in pairs], [context for _, context in pairs]
