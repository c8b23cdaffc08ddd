"""Sizes that depend on choices: whole-number expressions over names, such as ``divisible(c * expand, 8)``.

``+ - * // %``, comparisons, ``and``, ``or``, ``not``, ``a if b else c`` and the functions `FUNCTIONS`. Python's own
parser reads the text; everything else that Python knows is refused, and nothing is ever executed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from graphs.errors import InvalidSearchSpace

Scope = Mapping[str, int]

MAX_LENGTH = 200

#: No size of a network is larger; products stay small numbers this way.
MAX_VALUE = 1 << 40


def divisible(value: int, by: int) -> int:
    """``value`` to the nearest multiple of ``by``, at least ``by``, and never below 90 % of ``value``.

    The rule of MobileNetV2 (https://arxiv.org/abs/1801.04381) and of the spaces that follow it.
    """
    rounded = max(by, (value + by // 2) // by * by)
    return rounded + by if 10 * rounded < 9 * value else rounded


FUNCTIONS: Mapping[str, Callable[..., int]] = {"divisible": divisible, "max": max, "min": min}

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.USub: operator.neg, ast.Not: operator.not_, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip

_Evaluate = Callable[[Scope], int]


class Expression(NamedTuple):
    """A parsed expression and the names in it."""

    text: str
    names: frozenset[str]
    evaluate: _Evaluate

    def __call__(self, scope: Scope) -> int:
        """Its value; truth is 1 or 0.

        Raises InvalidSearchSpace where a name is unknown, a divisor 0 or the result absurd.
        """
        try:
            value = int(self.evaluate(scope))
        except KeyError as error:
            known = ", ".join(sorted(scope)) or "nothing"
            raise InvalidSearchSpace(f"{self.text!r}: {error.args[0]!r} is not known here; known: {known}") from None
        except (ZeroDivisionError, TypeError, ValueError) as error:
            raise InvalidSearchSpace(f"{self.text!r}: {error}") from None
        if abs(value) > MAX_VALUE:
            raise InvalidSearchSpace(f"{self.text!r} is absurdly large")
        return value


@lru_cache(maxsize=4096)
def expression(text: str) -> Expression:
    """Parse; raises InvalidSearchSpace for what is no such expression."""
    if len(text) > MAX_LENGTH:
        raise InvalidSearchSpace(f"an expression may have {MAX_LENGTH} characters: {text[:40]!r}…")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InvalidSearchSpace(f"{text!r} is no expression") from None
    names: set[str] = set()
    evaluate = _compile(tree, text, names)
    return Expression(text, frozenset(names), evaluate)


def _compile(node: ast.AST, text: str, names: set[str]) -> _Evaluate:
    """A function of the scope; ``names`` grows by those that it reads."""
    parts = [_compile(child, text, names) for child in _operands(node)]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        value = node.value
        return lambda scope: value
    if isinstance(node, ast.Name):
        name = node.id
        names.add(name)
        return lambda scope: scope[name]
    if isinstance(node, ast.BinOp | ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _apply(_OPERATORS[type(node.op)], parts)
    if isinstance(node, ast.Compare) and len(parts) == 2 and type(node.ops[0]) in _OPERATORS:
        return _apply(_OPERATORS[type(node.ops[0])], parts)
    if isinstance(node, ast.BoolOp):
        combine = all if isinstance(node.op, ast.And) else any
        return lambda scope: combine(part(scope) for part in parts)
    if isinstance(node, ast.IfExp):
        test, body, other = parts
        return lambda scope: body(scope) if test(scope) else other(scope)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and parts:
        return _apply(FUNCTIONS[node.func.id], parts)
    raise InvalidSearchSpace(
        f"{text!r}: only whole numbers, names, + - * // %, comparisons, and, or, not, if-else and "
        f"{', '.join(FUNCTIONS)} can be used"
    )


def _operands(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.BinOp():
            return [node.left, node.right]
        case ast.UnaryOp():
            return [node.operand]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.BoolOp():
            return node.values
        case ast.IfExp():
            return [node.test, node.body, node.orelse]
        case ast.Call() if not node.keywords:
            return node.args
    return []


def _apply(function: Callable[..., Any], parts: list[_Evaluate]) -> _Evaluate:
    if len(parts) == 1:
        (only,) = parts
        return lambda scope: function(only(scope))
    return lambda scope: function(*(part(scope) for part in parts))
