"""JSON data that knows its path, so that errors can say where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphs.errors import InvalidGraph

_SPECIAL = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}


class Field:
    """A piece of JSON data at a path such as ``nodes[3].inputs[0]``; its readers raise InvalidGraph."""

    __slots__ = ("data", "path")

    def __init__(self, path: str, data: Any) -> None:
        self.path = path
        self.data = data

    def _fail(self, expected: str) -> InvalidGraph:
        found = repr(self.data)
        found = found if len(found) <= 40 else found[:37] + "…"
        return InvalidGraph(f"{self.path or 'graph'}: expected {expected}, found {found}")

    def _object(self) -> Mapping[str, Any]:
        if not isinstance(self.data, Mapping):
            raise self._fail("an object")
        return self.data

    def _child(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def __getitem__(self, key: str) -> Field:
        data = self._object()
        if key not in data:
            raise InvalidGraph(f"{self._child(key)}: required, but missing")
        return Field(self._child(key), data[key])

    def get(self, key: str, default: Any) -> Field:
        return Field(self._child(key), self._object().get(key, default))

    def optional(self, key: str) -> Field | None:
        """None where the key is absent or null."""
        found = self._object().get(key)
        return None if found is None else Field(self._child(key), found)

    def items(self) -> list[tuple[str, Field]]:
        return [(str(k), Field(self._child(str(k)), v)) for k, v in self._object().items()]

    def only(self, *keys: str) -> None:
        """Refuse any other key: a misspelt one would be ignored in silence."""
        for key in self._object():
            if key not in keys:
                raise InvalidGraph(f"{self._child(str(key))}: no such field; there are {', '.join(keys)}")

    def elements(self) -> list[Field]:
        return [Field(f"{self.path}[{i}]", v) for i, v in enumerate(self.values())]

    def element(self, index: int) -> Field:
        """One of `elements`, of a list."""
        return Field(f"{self.path}[{index}]", self.data[index])

    def values(self) -> Sequence[Any]:
        """The data of a list's `elements`."""
        if not isinstance(self.data, (list, tuple)):
            raise self._fail("a list")
        return self.data

    def text(self) -> str:
        if not isinstance(self.data, str):
            raise self._fail("a string")
        return self.data

    def integer(self) -> int:
        if not isinstance(self.data, int) or isinstance(self.data, bool):
            raise self._fail("an integer")
        return self.data

    def number(self) -> int | float:
        """A number, a bool as 0 or 1, or one of the strings for what JSON cannot say."""
        if isinstance(self.data, str) and self.data in _SPECIAL:
            return _SPECIAL[self.data]
        if not isinstance(self.data, (int, float)):
            raise self._fail("a number")
        return int(self.data) if isinstance(self.data, bool) else self.data
