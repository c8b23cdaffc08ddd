"""Made-up devices: folders like the kernel's, and readings of a known power."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from profilers.meters import Sample
from profilers.meters.trials import Trial

Tree = Callable[[Mapping[str, object]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes files under a folder, which stands for one of the kernel's."""

    def write(files: Mapping[str, object]) -> Path:
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        return tmp_path

    return write


class Day:
    """Idle, work, idle, work … idle: a power that is known at every moment, and what devices make of it."""

    def __init__(self, idle_w: float = 20.0, work_w: float = 65.0, trials: int = 3, work_s: float = 5.4,
                 idle_s: float = 2.0) -> None:  # fmt: skip
        self.idle_w, self.work_w = idle_w, work_w
        self.idle_s, self.work_s = idle_s, work_s
        self.trials, start = [], 100.0
        for _ in range(trials):
            work = start + self.idle_s, start + self.idle_s + work_s
            after = work[1], work[1] + self.idle_s
            marks = [(t, i) for i, t in enumerate(np.arange(work[0], work[1] + 0.01, 0.01).tolist())]
            self.trials.append(Trial((start, work[0]), work, after, marks))
            start = work[1]
        self.end = start + self.idle_s

    #: Every run takes 10 ms.
    run_s = 0.01

    def times(self, every_s: float) -> NDArray[np.float64]:
        return np.arange(99.0, self.end + 1.0, every_s)

    def power_w(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        working = np.zeros(len(at_s), dtype=bool)
        for trial in self.trials:
            working |= (at_s >= trial.work[0]) & (at_s < trial.work[1])
        return np.where(working, self.work_w, self.idle_w)

    def energy_j(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Since second 99, exactly."""
        total = self.idle_w * (at_s - 99.0)
        for trial in self.trials:
            total += (self.work_w - self.idle_w) * np.clip(at_s - trial.work[0], 0.0, trial.work[1] - trial.work[0])
        return total

    def counter(self, every_s: float = 0.005, tick_s: float = 0.001, start_j: float = 0.0) -> list[Sample]:
        """A counter that is updated each ``tick_s`` and read each ``every_s``."""
        at = self.times(every_s)
        shown = self.energy_j(99.0 + np.floor((at - 99.0) / tick_s + 1e-9) * tick_s) + start_j
        return [Sample(t, (e,)) for t, e in zip(at.tolist(), shown.tolist(), strict=True)]

    def sensor(self, every_s: float = 0.02) -> list[Sample]:
        at = self.times(every_s)
        return [Sample(t, (w,)) for t, w in zip(at.tolist(), self.power_w(at).tolist(), strict=True)]

    @property
    def gross_mj(self) -> float:
        return 1e3 * self.work_w * self.run_s

    @property
    def net_mj(self) -> float:
        return 1e3 * (self.work_w - self.idle_w) * self.run_s


@pytest.fixture
def day() -> Day:
    return Day()


@pytest.fixture
def make_day() -> type[Day]:
    return Day


@pytest.fixture
def long_day() -> Day:
    """Idle for five seconds too, as sensors of power need it."""
    return Day(idle_s=5.5)
