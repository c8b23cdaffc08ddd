"""Expressions over names: what they compute, and that nothing else gets through."""

from __future__ import annotations

import pytest

from graphs import InvalidSearchSpace
from graphs.search_spaces.expressions import divisible, expression

SCOPE = {"c": 24, "expand": 6, "stride": 2, "out": 24}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("c * expand", 144), ("-c + 3 * (expand - 1)", -9), ("c // 5", 4), ("c % 5", 4),
        ("divisible(c * expand // 4, 8)", 40), ("stride == 1 and c == out", 0), ("stride > 1 or c != out", 1),
        ("not stride == 1", 1), ("c if stride == 2 else 0", 24), ("max(c, 32) - min(c, 32)", 8),
    ],
)  # fmt: skip
def test_values(text: str, value: int) -> None:
    assert expression(text)(SCOPE) == value


def test_names_are_those_that_are_read() -> None:
    assert expression("divisible(c * expand, 8) + 1").names == {"c", "expand"}


@pytest.mark.parametrize(
    "text",
    ["", "1.5", "c ** 99", "c / 2", "__import__('os')", "c.real", "c[0]", "f(c)", "lambda: 1", "c := 1", "1 < c < 3",
     "divisible(value=c, by=8)", "divisible()", "'a'", "True", "c +", "(" * 300, "c" * 201, "[c]", "{c}", "c if"],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidSearchSpace):
        expression(text)


@pytest.mark.parametrize(
    "text", ["unknown + 1", "c // (stride - 2)", "divisible(c, 0)", "divisible(c)", "*".join("c" * 30)]
)
def test_what_cannot_be_computed_is_an_error_that_quotes_it(text: str) -> None:
    with pytest.raises(InvalidSearchSpace, match=r"c|unknown"):
        expression(text)(SCOPE)


@pytest.mark.parametrize(("value", "expected"), [(96, 96), (28, 32), (48, 48), (134, 136), (19, 24), (3, 8), (11, 16)])
def test_widths_are_rounded_as_mobilenet_rounds_them(value: int, expected: int) -> None:
    assert divisible(value, 8) == expected
