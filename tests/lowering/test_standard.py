"""Every operator of the ONNX standard, by its own test cases: lowered exactly, or refused as the runtime does.

Inputs that decide shapes (axes, sizes, repeats) are given as constants here, as exporters write them.
"""

import warnings
from collections import Counter
from functools import cache

import numpy as np
import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases

from archgauge.kernel_text import compare, describe
from graphs import GraphError, lower, prepare
from graphs.errors import UnboundDimension
from profilers import MeasurementFailed, local_target, observe_lowering

pytestmark = pytest.mark.slow

NEWEST = 26
#: Cases whose kernels the runtime's profile cannot tell: it shows what bodies execute as well, or they differ in order.
UNTOLD = {"test_scan9_sum", "test_scan9_multi_state", "test_scan_sum", "test_flexattention_fp16_expanded_ver26"}
#: Fewer than these would mean that cases were passed over.
AT_LEAST = 1300


@cache
def cases() -> dict[str, onnx.ModelProto]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some compute logarithms of zero, the first time only
        found = collect_testcases(None)
    return {c.name: frozen(c) for c in found if c.model is not None}


def frozen(case) -> onnx.ModelProto:
    """The model in an operator set that the runtime loads, with small inputs but the first as constants."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.ir_version = min(model.ir_version, 11)
    for imported in model.opset_import:
        if imported.domain == "" and imported.version > NEWEST and unchanged(model, imported.version):
            imported.version = NEWEST
    given = case.data_sets[0][0] if case.data_sets else []
    named = given.items() if isinstance(given, dict) else zip([i.name for i in model.graph.input], given, strict=False)
    constants = {
        name: value
        for name, value in list(named)[1:]
        if isinstance(value, np.ndarray) and value.size <= 64 and (value.dtype.kind in "iu" or value.size <= 4)
    }
    for name, value in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    kept = [i for i in model.graph.input if i.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def unchanged(model: onnx.ModelProto, version: int) -> bool:
    """Whether no operator changed between the newest set of the runtime and ``version``."""
    return all(
        onnx.defs.has(n.op_type, NEWEST, n.domain)
        and onnx.defs.get_schema(n.op_type, version, n.domain).since_version <= NEWEST
        for n in model.graph.node
    )


def outcome(data: bytes) -> str:
    """``equal``, or how both sides refuse; anything else fails."""
    try:
        ours = lower(prepare(data), local_target().lowering)
    except GraphError as error:
        if not isinstance(error, UnboundDimension):
            with pytest.raises((GraphError, MeasurementFailed)):
                observe_lowering(data)
        return "refused"
    try:
        theirs = observe_lowering(data)
    except MeasurementFailed:
        return "not run"
    found = compare(ours, theirs)
    assert found.equal, [describe(kernel) for kernel, _ in (*found.only_ours, *found.only_theirs)]
    return "equal"


def test_all_operators() -> None:
    outcomes: Counter[str] = Counter()
    wrong = {}
    for name, model in cases().items():
        if name in UNTOLD:
            continue
        try:
            outcomes[outcome(model.SerializeToString())] += 1
        except Exception as error:  # every case is looked at; what is wrong is shown together
            wrong[name] = f"{type(error).__name__}: {error}"[:300]
    assert not wrong
    assert outcomes["equal"] >= AT_LEAST
