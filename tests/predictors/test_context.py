"""What surrounds a kernel: who touched its inputs when."""

from graphs import Kernel, LoweringProfile, Operand, lower
from graphs.spaces import sample
from predictors.context import HIGHEST, HOT, LOWEST, context_columns, contexts_of

KIB = 1024


def tensor(kib: int, constant: bool = False) -> Operand:
    return Operand("float32", (kib * KIB // 4,), constant)


def relu(kib: int) -> Kernel:
    return Kernel("Relu", (tensor(kib),), (tensor(kib),))


def bits(kib: int) -> int:
    return (kib * KIB).bit_length()


def test_the_network_input_was_touched_one_run_ago() -> None:
    run = 2 * 512 + 2 * 512
    first, second = contexts_of([relu(512), relu(512)])
    assert first == (bits(run), bits(run), bits(run))
    # What was made just before is hot.
    assert second == (LOWEST, LOWEST, bits(run))


def test_a_residual_is_older_than_what_was_made_last() -> None:
    other = Kernel("Relu", (tensor(512),), (tensor(1024),))
    back = Kernel("Relu", (tensor(1024),), (tensor(512),))
    add = Kernel("Add", (tensor(512), tensor(512)), (tensor(512),))
    contexts = contexts_of([relu(512), other, back, add])
    # Both operands have one type: the newer is taken first, the other was read when `other` ran.
    since_largest, since_oldest, _ = contexts[-1]
    assert since_largest == LOWEST
    assert since_oldest == bits(1024 + 512)


def test_views_touch_nothing() -> None:
    view = Kernel("Reshape", (tensor(256),), (Operand("float32", (64, 1024)),))
    after = Kernel("Relu", (Operand("float32", (64, 1024)),), (Operand("float32", (64, 1024)),))
    big = Kernel("Relu", (tensor(4096),), (tensor(4096),))
    without, with_big = contexts_of([relu(256), view, after]), contexts_of([relu(256), big, view, after])
    assert without[-1][0] == LOWEST
    assert with_big[-1][0] == bits(2 * 4096)


def test_constants_and_their_sizes_count_for_the_run() -> None:
    product = Kernel("MatMul", (tensor(4), tensor(8192, constant=True)), (tensor(4),))
    assert contexts_of([product])[0][2] == bits(8192 + 8)
    assert contexts_of([Kernel("MatMul", (tensor(4), tensor(2**22, True)), (tensor(4),))])[0][2] == HIGHEST


def test_every_kernel_has_one() -> None:
    kernels = lower(sample("densenet", 2), LoweringProfile())
    contexts = contexts_of(kernels)
    assert len(contexts) == len(kernels)
    assert all(LOWEST <= value <= HIGHEST for context in contexts for value in context)
    assert context_columns(contexts).shape == (len(kernels), len(HOT))
    assert contexts_of([]) == [] and context_columns([]).shape == (0, len(HOT))
