"""What inference takes for granted of onnxruntime's kernels: as its table says."""

import onnx

from graphs import LoweringProfile
from graphs.inference.engine import HALF_FOLDED, NOT_FOLDED, WITHOUT_KERNEL
from graphs.lowering.kernel_types import kernel_types

TABLE = kernel_types(LoweringProfile())
OPSET = 26
#: Operators that have to do with sequences, and some whose outputs alone are of the kernel's type.
OTHERS = {
    "ConstantOfShape", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceConstruct", "SplitToSequence",
}  # fmt: skip


def test_functions_without_any_kernel() -> None:
    assert TABLE is not None
    schemas = [s for s in onnx.defs.get_all_schemas() if not s.domain and s.since_version <= OPSET]
    for schema in schemas:
        if schema.has_function or schema.has_context_dependent_function:
            assert bool(TABLE.kernels(schema.name, OPSET)) == (schema.name not in WITHOUT_KERNEL), schema.name


def test_operators_with_a_kernel_for_float16() -> None:
    assert TABLE is not None
    for schema in onnx.defs.get_all_schemas():
        name = schema.name
        if schema.domain or not schema.inputs or name in NOT_FOLDED | WITHOUT_KERNEL | OTHERS:
            continue
        variable = schema.inputs[0].type_str
        takes = any("float16" in kernel.get(variable, ()) for kernel in TABLE.kernels(name, OPSET))
        assert takes == (name in HALF_FOLDED), name


def test_newest_operator_set() -> None:
    assert TABLE is not None
    assert TABLE.newest_opset == OPSET
