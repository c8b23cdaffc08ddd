"""Work of attention in its many forms, against sums written out by hand."""

import pytest

from graphs.costs import flops
from graphs.kernels import Kernel, Operand


def t(*shape: int, value: tuple[int, ...] | None = None) -> Operand:
    return Operand("float32" if value is None else "int32", shape, value is not None, value)


def work(sequence: int, length: int, heads: int, head: int, batch: int = 1) -> int:
    return batch * heads * sequence * length * (2 * head + 5 + 2 * head)


#: Lengths before and with this step.
LENGTHS = (t(1, value=(11,)), t(1, value=(12,)))

CASES = {
    "a bias of scores is no cache": (
        "com.microsoft.MultiHeadAttention", [t(2, 8, 64), t(2, 8, 64), t(2, 8, 64), None, None, t(1, 4, 8, 8)],
        t(2, 8, 64), {"num_heads": 4}, work(8, 8, 4, 16, 2),
    ),
    "keys so far": (
        "com.microsoft.MultiHeadAttention",
        [t(1, 1, 64), t(1, 1, 64), t(1, 1, 64), None, None, None, t(1, 4, 7, 16), t(1, 4, 7, 16)],
        t(1, 1, 64), {"num_heads": 4}, work(1, 8, 4, 16),
    ),
    "grouped queries over the length that they are told": (
        "com.microsoft.GroupQueryAttention",
        [t(1, 1, 64), t(1, 1, 32), t(1, 1, 32), t(1, 2, 100, 16), t(1, 2, 100, 16), *LENGTHS],
        t(1, 1, 64), {"num_heads": 4, "kv_num_heads": 2}, work(1, 12, 4, 16),
    ),
    "packed grouped queries": (
        "com.microsoft.GroupQueryAttention", [t(1, 12, 128), None, None, None, None, *LENGTHS],
        t(1, 12, 64), {"num_heads": 4, "kv_num_heads": 2}, work(12, 12, 4, 16),
    ),
    "quantised attention projects as well": (
        "com.microsoft.QAttention", [t(2, 8, 64), t(64, 192), t(192), t(), t()],
        t(2, 8, 64), {"num_heads": 4}, 2 * 2 * 8 * 64 * 192 + work(8, 8, 4, 16, 2),
    ),
    "a mask of the standard's attention is no cache": (
        "Attention", [t(1, 4, 8, 16), t(1, 2, 10, 16), t(1, 2, 10, 16), t(1, 1, 8, 10)],
        t(1, 4, 8, 16), {}, work(8, 10, 4, 16),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_work(case: str) -> None:
    kind, inputs, output, attributes, expected = CASES[case]
    assert flops(Kernel(kind, tuple(inputs), (output,), tuple(attributes.items()))) == expected
