"""A predictor that learned from the kernels of a few synthetic networks, whose times follow a formula."""

from __future__ import annotations

from typing import Any

import pytest

from graphs import Kernel, LoweringProfile, lower
from graphs.costs import bytes_read, bytes_written, flops
from graphs.spaces import sample
from lookup_tables import DeviceFingerprint, Measurement, Target, read_table, write_table
from predictors import Predictor, train
from predictors._boosting import ForestSettings

TARGET = Target(DeviceFingerprint("Intel Xeon Example", isa=("avx2", "avx512f"), cores=2), runtime_version="1.31.1")
FAMILIES = ("mbconv", "resnet", "vit")


def latency_us(kernel: Kernel) -> float:
    """1 µs, 20 GFLOP/s, 10 GB/s."""
    return 1.0 + max(flops(kernel) / 20e3, (bytes_read(kernel) + bytes_written(kernel)) / 10e3)


def measurements(family: str, seed: int, split: Any) -> list[Measurement]:
    """What profiling a synthetic network would have given."""
    context = f"{family}:{seed}"
    kernels = lower(sample(family, seed), LoweringProfile())
    rows = [
        Measurement("in_network", kernel, latency_us=latency_us(kernel), runs=20, context=context, split=split)
        for kernel in kernels
    ]
    whole = sum(row.latency_us or 0.0 for row in rows) + 0.1 * len(rows)
    return rows + [
        Measurement("whole_model", model=context, latency_us=whole * (1 + 0.01 * i), runs=20, context=context,
                    split=split, kernels=len(kernels), repetition=i)
        for i in range(2)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    rows = []
    for family in FAMILIES:
        for seed, split in enumerate(["train"] * 2 + ["composition", "holdout"]):
            rows += measurements(family, seed, split)
    table = read_table(write_table(tmp_path_factory.mktemp("tables"), TARGET, rows))
    folder = tmp_path_factory.mktemp("predictors") / "v0001-0a1b2c3d"
    train(table, settings=ForestSettings(members=2, rounds=15, depth=3)).save(folder)
    return Predictor.load(folder)
