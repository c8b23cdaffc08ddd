"""No silent zeros: every operator of the ONNX standard is priced above zero, or refused by its name."""

import warnings
from functools import cache

import pytest
from onnx import defs

from graphs import GraphError, LoweringProfile, lower, prepare
from graphs.costs import bytes_read, bytes_written, flops
from graphs.spaces import sample
from lookup_tables import DeviceFingerprint, Measurement, Table, Target, read_table, write_table
from predictors import Predictor, train
from predictors.errors import UnpriceableKernels

OPERATORS = sorted({s.name for s in defs.get_all_schemas() if s.domain == "" and not s.deprecated})

#: What they give is known before anything runs, so nothing is executed.
FOLDED = {"Constant", "OptionalHasElement", "Shape", "Size"}


@cache
def cases() -> dict[str, list[bytes]]:
    """The standard's own test models of one node, by operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        collected = collect_testcases(None)
    found: dict[str, list[bytes]] = {}
    for case in collected:
        if case.model is not None and len(case.model.graph.node) == 1:
            found.setdefault(case.model.graph.node[0].op_type, []).append(case.model.SerializeToString())
    return found


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Trained on a table whose latencies follow a roofline of 20 GFLOP/s and 10 GB/s plus a microsecond."""
    rows = []
    for family, seed in (("resnet", 1), ("vit", 1), ("mbconv", 1), ("bert", 1), ("elementwise", 1)):
        for kernel in lower(sample(family, seed), LoweringProfile()):
            t = 1.0 + max(flops(kernel) / 20e3, (bytes_read(kernel) + bytes_written(kernel)) / 10e3)
            rows.append(Measurement("in_network", kernel, latency_us=t, runs=20, context=f"{family}:{seed}"))
    target = Target(DeviceFingerprint("Example CPU", isa=("avx512f",), cores=2), runtime_version="1.31.1")
    table: Table = read_table(write_table(tmp_path_factory.mktemp("tables"), target, rows))
    return train(table).predictor


def test_the_standard_has_cases_for_nearly_all_operators() -> None:
    assert len(set(OPERATORS) & set(cases())) > 170


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_are_priced_or_refused_by_name(operator: str, predictor: Predictor) -> None:
    models = cases().get(operator, [])
    if not models:
        pytest.skip("the standard has no test model of this operator alone")
    priced = refused = 0
    for model in models[:4]:
        try:
            prediction = predictor.predict(prepare(model), detail="kernels")
        except UnpriceableKernels as error:
            assert operator in str(error)
            refused += 1
        except GraphError as error:
            assert str(error)
            refused += 1
        else:
            kernels = prediction.kernels or ()
            assert all(kernel.latency_ms > 0 for kernel in kernels)
            assert kernels or operator in FOLDED
            priced += 1
    assert priced + refused == len(models[:4])
