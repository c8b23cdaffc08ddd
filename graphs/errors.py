"""What can be wrong with an architecture graph.

GraphError (ValueError)
├── InvalidGraph            cycles, undefined or twice-defined tensors, shapes that do not fit, absurd sizes
├── UnboundDimension        a symbolic dimension that nothing binds; ``dimension`` names it
├── UnsupportedOperator     operators that nobody knows; ``operators`` lists them
├── MissingValue            a constant whose value decides a shape, but is not in the file; ``tensor`` names it
├── InvalidSearchSpace      a search space that contradicts itself
└── InvalidChoices          choices that are none of a search space's
"""

from __future__ import annotations

from collections.abc import Sequence


class GraphError(ValueError):
    """An architecture graph that cannot be used; the message says what to do."""


class InvalidGraph(GraphError):
    """The graph contradicts itself or the ONNX standard."""


class UnboundDimension(GraphError):
    """A dimension of an input is symbolic and no binding was given for it."""

    def __init__(self, dimension: str, message: str) -> None:
        super().__init__(message)
        self.dimension = dimension


class UnsupportedOperator(GraphError):
    """Operators that are neither in the ONNX standard nor known to the runtime."""

    def __init__(self, operators: Sequence[str], message: str) -> None:
        super().__init__(message)
        self.operators = tuple(operators)


class MissingValue(GraphError):
    """The value of a constant is needed (it decides a shape), but only its shape is known."""

    def __init__(self, tensor: str, message: str) -> None:
        super().__init__(message)
        self.tensor = tensor


class InvalidSearchSpace(GraphError):
    """The description of a search space is wrong; the message says where."""


class InvalidChoices(GraphError):
    """Choices that do not name an architecture of the search space."""
