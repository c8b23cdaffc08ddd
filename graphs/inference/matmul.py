"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.errors import InvalidGraph
from graphs.inference.call import Call, Shape, broadcast, rule
from graphs.ir import TensorType


def matmul_shape(a: Shape, b: Shape) -> Shape:
    """numpy.matmul's shape: vectors are promoted, leading dimensions broadcast."""
    if not a or not b:
        raise InvalidGraph("a matrix product needs at least vectors")
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    if left[-1] != right[-2]:
        raise InvalidGraph(f"shapes {list(a)} and {list(b)} do not fit a matrix product")
    batch = left[:-2] if not right[:-2] else broadcast(left[:-2], right[:-2])
    rows = left[-2:-1] if len(a) > 1 else ()
    columns = right[-1:] if len(b) > 1 else ()
    return batch + rows + columns


@rule("MatMul")
def _matmul(call: Call) -> Sequence[TensorType]:
    return (TensorType(call.dtype(0), matmul_shape(call.shape(0), call.shape(1))),)


@rule("MatMulInteger")
def _matmul_integer(call: Call) -> Sequence[TensorType]:
    return (TensorType("int32", matmul_shape(call.shape(0), call.shape(1))),)


def gemm_shape(call: Call, a: Shape, b: Shape) -> Shape:
    """M×N of Gemm with its transpose flags."""
    if len(a) != 2 or len(b) != 2:
        raise InvalidGraph(f"Gemm needs matrices, not {list(a)} and {list(b)}")
    rows, inner = reversed(a) if call.attribute("transA", 0) else a
    inner_b, columns = reversed(b) if call.attribute("transB", 0) else b
    if inner != inner_b:
        raise InvalidGraph(f"shapes {list(a)} and {list(b)} do not fit this matrix product")
    return (rows, columns)


@rule("Gemm")
def _gemm(call: Call) -> Sequence[TensorType]:
    shape = gemm_shape(call, call.shape(0), call.shape(1))
    if call.has(2) and broadcast(shape, call.shape(2)) != shape:
        raise InvalidGraph(f"C {list(call.shape(2))} does not broadcast to {list(shape)}")
    return (TensorType(call.dtype(0), shape),)


@rule("Einsum")
def _einsum(call: Call) -> Sequence[TensorType]:
    """The output subscripts, or by numpy's rule every letter that occurs once, in alphabetical order."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    left, arrow, output = equation.partition("->")
    sizes: dict[str, int] = {}
    ellipsis: Shape = ()
    for index, term in enumerate(left.split(",")):
        letters, common = _einsum_term(term, call.shape(index))
        ellipsis = broadcast(ellipsis, common) if common else ellipsis
        for letter, size in letters:
            if sizes.setdefault(letter, size) in (size, 1):
                sizes[letter] = max(sizes[letter], size)
            elif size != 1:
                raise InvalidGraph(f"{equation!r}: {letter} is {sizes[letter]} and {size}")
    if not arrow:
        once = sorted(c for c in sizes if left.count(c) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    before, dots, after = output.partition("...")
    try:
        shape = [sizes[c] for c in before], [sizes[c] for c in after]
    except KeyError as error:
        raise InvalidGraph(f"{equation!r}: {error} is not among the inputs' subscripts") from None
    return (TensorType(call.dtype(0), (*shape[0], *(ellipsis if dots else ()), *shape[1])),)


def _einsum_term(term: str, shape: Shape) -> tuple[list[tuple[str, int]], Shape]:
    before, dots, after = term.partition("...")
    extra = len(shape) - len(before) - len(after)
    if extra < 0 or (extra and not dots):
        raise InvalidGraph(f"subscripts {term!r} do not fit shape {list(shape)}")
    middle = len(before) + extra
    pairs = list(zip(before + after, shape[: len(before)] + shape[middle:], strict=True))
    return pairs, shape[len(before) : middle]
