"""Work and traffic against numbers worked out elsewhere."""

import pytest

from graphs import Kernel, Operand, bytes_read, bytes_written, flops, kernels_of, prepare


def t(*shape: int, dtype: str = "float32", constant: bool = False) -> Operand:
    return Operand(dtype, shape, constant)


def kernel(kind: str, inputs: list[Operand | None], output: Operand, **attributes: object) -> Kernel:
    return Kernel(kind, tuple(inputs), (output,), tuple(sorted(attributes.items())))  # type: ignore[arg-type]


#: Multiply-adds of the convolutions and matrix products, in units of 10⁹, as published for 224×224 images.
PUBLISHED = {
    "bvlc_alexnet": (0.65, 0.73), "resnet50": (3.8, 4.2), "vgg19": (19.5, 19.8), "squeezenet": (0.34, 0.39),
    "densenet121": (2.8, 2.9), "inception_v1": (1.4, 1.6),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_real_networks_have_their_published_work(name: str, light_models: dict[str, bytes]) -> None:
    low, high = PUBLISHED[name]
    assert low <= sum(map(flops, kernels_of(prepare(light_models[name])))) / 2e9 <= high


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (kernel("Conv", [t(1, 3, 8, 8), t(16, 3, 3, 3)], t(1, 16, 6, 6)), 2 * 16 * 36 * 27),
        (kernel("Conv", [t(1, 3, 8, 8), t(16, 3, 3, 3), t(16)], t(1, 16, 6, 6)), 2 * 16 * 36 * 27 + 16 * 36),
        (kernel("Conv", [t(1, 8, 8, 8), t(8, 1, 3, 3)], t(1, 8, 6, 6), group=8), 2 * 8 * 36 * 9),
        (kernel("com.microsoft.nchwc.Conv", [t(1, 16, 8, 8), t(32, 16, 1, 1)], t(1, 32, 8, 8)), 2 * 64 * 16 * 32),
        (kernel("com.microsoft.FusedConv", [t(1, 4, 5, 5), t(4, 4, 1, 1)], t(1, 4, 5, 5), activation="Relu"), 900),
        (kernel("ConvTranspose", [t(1, 8, 4, 4), t(8, 6, 2, 2)], t(1, 6, 8, 8)), 2 * 8 * 16 * 6 * 4),
        (kernel("MatMul", [t(2, 10, 32), t(32, 7)], t(2, 10, 7)), 2 * 20 * 32 * 7),
        (kernel("Gemm", [t(32, 4), t(32, 7), t(7)], t(4, 7), transA=1), 2 * 4 * 32 * 7 + 28),
        (kernel("Einsum", [t(2, 3, 4), t(2, 4, 5)], t(2, 3, 5), equation="bij,bjk->bik"), 2 * 2 * 3 * 4 * 5),
        (kernel("Einsum", [t(2, 3, 4), t(4, 5)], t(2, 3, 5), equation="...ij,jk->...ik"), 2 * 2 * 3 * 4 * 5),
        (kernel("MaxPool", [t(1, 2, 8, 8)], t(1, 2, 4, 4), kernel_shape=(2, 2)), 32 * 4),
        (kernel("GlobalAveragePool", [t(1, 2, 8, 8)], t(1, 2, 1, 1)), 128),
        (kernel("Add", [t(4, 5), t(5)], t(4, 5)), 20),
        (kernel("Sum", [t(4), t(4), t(4)], t(4)), 8),
        (kernel("Softmax", [t(2, 10)], t(2, 10)), 100),
        (kernel("LSTM", [t(6, 2, 10), t(1, 32, 10), t(1, 32, 8)], t(6, 1, 2, 8)), 12 * (2 * 32 * 18 + 10 * 32)),
        (
            kernel("com.microsoft.MultiHeadAttention", [t(1, 10, 32), t(1, 12, 32), t(1, 12, 32)], t(1, 10, 32),
                   num_heads=4), 4 * 10 * 12 * (2 * 8 + 5 + 2 * 8),
        ),
        (
            kernel("com.microsoft.Attention", [t(1, 10, 32), t(32, 96), t(96)], t(1, 10, 32), num_heads=4),
            2 * 10 * 32 * 96 + 4 * 10 * 10 * (16 + 5 + 16),
        ),
        (kernel("Resize", [t(1, 1, 4, 4)], t(1, 1, 8, 8), mode="linear"), 2 * 4 * 64),
        (kernel("Resize", [t(1, 1, 4, 4)], t(1, 1, 8, 8), mode="nearest"), 0),
        (kernel("Transpose", [t(4, 5)], t(5, 4), perm=(1, 0)), 0),
        (kernel("SomethingNew", [t(4, 5)], t(4, 5)), 20),
    ],
    ids=lambda value: value.kind if isinstance(value, Kernel) else "",
)  # fmt: skip
def test_work(made: Kernel, expected: int) -> None:
    assert flops(made) == expected


def test_padded_channels_are_work_too() -> None:
    """The blocked layout computes whole blocks."""
    plain = kernel("Conv", [t(1, 16, 8, 8), t(24, 16, 1, 1)], t(1, 24, 8, 8))
    blocked = kernel("com.microsoft.nchwc.Conv", [t(1, 16, 8, 8), t(32, 16, 1, 1)], t(1, 32, 8, 8))
    assert flops(blocked) * 24 == flops(plain) * 32


def test_traffic() -> None:
    add = kernel("Add", [t(4, 5), t(5, constant=True)], t(4, 5))
    assert (bytes_read(add), bytes_written(add)) == (100, 80)
    quantised = kernel("Relu", [t(4, 5, dtype="int8")], t(4, 5, dtype="int8"))
    assert (bytes_read(quantised), bytes_written(quantised)) == (20, 20)
    reshape = kernel("Reshape", [t(4, 5)], t(20))
    assert (bytes_read(reshape), bytes_written(reshape)) == (0, 0)


def test_a_lookup_reads_what_it_looks_up() -> None:
    embedding = kernel("Gather", [t(30000, 64, constant=True), t(1, 8, dtype="int64")], t(1, 8, 64))
    assert bytes_read(embedding) == 8 * 64 * 4 + 8 * 8
