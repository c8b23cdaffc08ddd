"""A made-up world whose costs are known: random kernels in random networks, and what measuring them would give.

The predictor that several tests share is trained once. Times follow formulas that no model is told; a little noise is
on everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs import Kernel, Operand
from graphs.costs import bytes_read, bytes_written, flops
from lookup_tables import DeviceFingerprint, Measurement, Split, Table, Target, read_table, write_table
from predictors import TrainedPredictor, train

TARGET = Target(DeviceFingerprint("Intel Xeon Example", isa=("avx512f",), cores=4), runtime_version="1.31.1")
PEAKS = {"flops_per_s": {"float32": 150e9}, "bytes_per_s": 20e9, "cache_bytes_per_s": 80e9}

SPLITS: dict[Split, int] = {"train": 60, "composition": 36, "holdout": 30}


def tensor(*shape: int) -> Operand:
    return Operand("float32", shape)


def weight(*shape: int) -> Operand:
    return Operand("float32", shape, constant=True)


@dataclass
class World:
    """Draws kernels and networks and knows their times in microseconds."""

    noise: float = 0.03
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def conv(self) -> Kernel:
        kernel, stride = int(self.rng.choice([1, 3, 5])), int(self.rng.choice([1, 2]))
        inner, outer = (int(self.rng.integers(1, 24)) * 16 for _ in range(2))
        side = int(self.rng.integers(4, 29)) * 2
        pad = kernel // 2
        attributes = (
            ("dilations", (1, 1)), ("group", 1), ("pads", (pad,) * 4), ("strides", (stride, stride)),
        )  # fmt: skip
        out = (side + 2 * pad - kernel) // stride + 1
        return Kernel(
            "com.microsoft.nchwc.Conv",
            (tensor(1, inner, side, side), weight(outer, inner, kernel, kernel), weight(outer)),
            (tensor(1, outer, out, out),),
            attributes,
        )

    def gemm(self) -> Kernel:
        m, n, k = (int(2 ** self.rng.uniform(4, 10)) for _ in range(3))
        inputs = (tensor(m, k), weight(k, n), weight(n))
        return Kernel("Gemm", inputs, (tensor(m, n),), (("transA", 0), ("transB", 0)))

    def add(self) -> Kernel:
        shape = (1, int(self.rng.integers(4, 400)), *(int(self.rng.integers(4, 60)),) * 2)
        return Kernel("Add", (tensor(*shape), tensor(*shape)), (tensor(*shape),))

    def softmax(self) -> Kernel:
        shape = (int(self.rng.integers(1, 9)), *(int(self.rng.integers(16, 400)),) * 2)
        return Kernel("Softmax", (tensor(*shape),), (tensor(*shape),), (("axis", 2),))

    def time_us(self, kernel: Kernel) -> float:
        """Convolutions waste what they pad to 16 channels; small products are slow; the others move bytes."""
        work, moved = flops(kernel), bytes_read(kernel) + bytes_written(kernel)
        if kernel.kind.endswith("Conv"):
            weights = kernel.inputs[1]
            assert weights is not None
            small = 1.0 if weights.shape[2] > 1 else 1.25
            return 3.0 + small * work / 120e3 + moved / 30e3
        if kernel.kind == "Gemm":
            (m, n) = kernel.outputs[0].shape
            return 2.5 + work / 90e3 * (ceil(m / 12) * 12 / m) * (ceil(n / 16) * 16 / n) + moved / 25e3
        if kernel.kind == "Softmax":
            return 2.5 + kernel.outputs[0].elements / 800.0
        return 2.2 + moved / 40e3

    def measured(self, value: float) -> float:
        return float(value * np.exp(self.rng.normal(0.0, self.noise)))

    def network(self) -> list[Kernel]:
        draw: list[Callable[[], Kernel]] = [self.conv, self.conv, self.conv, self.gemm, self.add, self.softmax]
        return [draw[int(self.rng.integers(len(draw)))]() for _ in range(int(self.rng.integers(15, 40)))]

    def whole_us(self, kernels: list[Kernel]) -> float:
        """Profiling costs 1.5 µs per kernel, and 3 % are lost between them."""
        return 1.03 * sum(self.time_us(k) - 1.5 for k in kernels) + 20.0

    def measurements(self, context: str, split: Split, begun: float = 0.0) -> list[Measurement]:
        """What profiling one network gives; some are timed as a whole twice."""
        kernels = self.network()
        rows = [
            Measurement("in_network", k, latency_us=self.measured(self.time_us(k)), context=context, split=split,
                        position=i, runs=10, started_at=begun)
            for i, k in enumerate(kernels)
        ]  # fmt: skip
        if split != "train":
            rows += [
                Measurement("whole_model", latency_us=float(self.whole_us(kernels) * np.exp(self.rng.normal(0, 0.01))),
                            context=context, split=split, kernels=len(kernels), started_at=begun + 700.0 * i,
                            session=f"s{i}", repetition=i)
                for i in range(2 if split == "composition" else 1)
            ]  # fmt: skip
        return rows

    def table(self, root: Path, extra: list[Measurement] | None = None) -> Table:
        """A table with `SPLITS` networks and whatever else is given."""
        rows = list(extra or ())
        for split, count in SPLITS.items():
            for i in range(count):
                rows += self.measurements(f"made-up:{split}{i}", split, begun=60.0 * i)
        report: dict[str, Any] = {"peaks": PEAKS}
        return read_table(write_table(root, TARGET, rows, report=report))


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def table(world: World, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return world.table(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def trained(table: Table) -> TrainedPredictor:
    return train(table, seed=3)
