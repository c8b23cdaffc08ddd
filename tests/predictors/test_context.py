"""What surrounds a kernel: who touched its inputs when."""

from graphs import Kernel, LoweringProfile, Operand, lower
from graphs.spaces import sample
from predictors.context import HIGHEST, HOT, LONGEST, LOWEST, SHORTEST, context_columns, contexts_of, run_steps

KIB = 1024


def tensor(kib: int, constant: bool = False) -> Operand:
    return Operand("float32", (kib * KIB // 4,), constant)


def relu(kib: int) -> Kernel:
    return Kernel("Relu", (tensor(kib),), (tensor(kib),))


def bits(kib: int) -> int:
    return (kib * KIB).bit_length()


def test_the_network_input_is_cold_and_what_was_made_just_before_is_hot() -> None:
    first, second = contexts_of([relu(512), relu(512)], 1000.0)
    assert first[:2] == (HIGHEST, HIGHEST)
    assert second[:2] == (LOWEST, LOWEST)


def test_a_residual_is_older_than_what_was_made_last() -> None:
    other = Kernel("Relu", (tensor(512),), (tensor(1024),))
    back = Kernel("Relu", (tensor(1024),), (tensor(512),))
    add = Kernel("Add", (tensor(512), tensor(512)), (tensor(512),))
    contexts = contexts_of([relu(512), other, back, add], 1000.0)
    # Both operands have one type: the newer is taken first, the other was read when `other` ran.
    since_largest, since_oldest, _ = contexts[-1]
    assert since_largest == LOWEST
    assert since_oldest == bits(1024 + 512)


def test_views_touch_nothing() -> None:
    view = Kernel("Reshape", (tensor(256),), (Operand("float32", (64, 1024)),))
    after = Kernel("Relu", (Operand("float32", (64, 1024)),), (Operand("float32", (64, 1024)),))
    big = Kernel("Relu", (tensor(4096),), (tensor(4096),))
    without, with_big = contexts_of([relu(256), view, after], 1.0), contexts_of([relu(256), big, view, after], 1.0)
    assert without[-1][0] == LOWEST
    assert with_big[-1][0] == bits(2 * 4096)


def test_lengths_of_runs_are_half_powers_of_two() -> None:
    assert run_steps(1024.0) == 20 and run_steps(1500.0) == 21
    assert run_steps(0.0) == SHORTEST and run_steps(1e9) == LONGEST
    assert {context[2] for context in contexts_of([relu(512), relu(512)], 1024.0)} == {20}


def test_every_kernel_has_one() -> None:
    kernels = lower(sample("densenet", 2), LoweringProfile())
    contexts = contexts_of(kernels, 5000.0)
    assert len(contexts) == len(kernels)
    assert all(LOWEST <= value <= HIGHEST for context in contexts for value in context[:2])
    assert context_columns(contexts).shape == (len(kernels), len(HOT))
    assert contexts_of([], 0.0) == [] and context_columns([]).shape == (0, len(HOT))
