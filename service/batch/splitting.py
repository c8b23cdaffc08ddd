"""Cut a stream of bytes into JSON texts: the lines of NDJSON, or the elements of an array, as they arrive.

Nothing is parsed here. What is kept is the text that has not ended yet, and of one that is larger than allowed not even
that: an error takes its place, and the next one is read as if nothing had been.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from service.errors import BodyTooLarge, MalformedJson

Item = bytes | Exception
"""The text of a request, or why there is none in its place."""

_QUOTE, _COMMA = b'",'  # as numbers
_SPACE = b" \t\r\n"
_ESCAPED = re.compile(rb"\\.", re.DOTALL)

#: How a byte changes the depth; whether it says anything about structure.
_DEPTH = np.zeros(256, np.int8)
_DEPTH[list(b"[{")], _DEPTH[list(b"]}")] = 1, -1
_STRUCTURAL = np.isin(np.arange(256), list(b'[]{},"'))


class Splitter:
    """Give it bytes with `feed`, tell it that there are no more with `finish`; both return what has become complete.

    The first byte that is not space decides the form: ``[`` begins an array, anything else a line.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._form: _Lines | _Array | None = None

    def feed(self, data: bytes) -> list[Item]:
        if self._form is None:
            data = data.lstrip(_SPACE)
            if not data:
                return []
            self._form = _Array(self._limit) if data.startswith(b"[") else _Lines(self._limit)
        return self._form.feed(data) if data else []

    def finish(self) -> list[Item]:
        return [] if self._form is None else self._form.finish()


class _Text:
    """The text that has begun, no more of it than the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._limit:
            self._parts.append(part)
        else:
            self._parts.clear()

    def take(self) -> Item:
        """The whole of it, without space around it; the next one begins."""
        text, size = b"".join(self._parts).strip(_SPACE), self._size
        self._parts, self._size = [], 0
        if size > self._limit:
            return BodyTooLarge(f"a request of a batch may have {self._limit:,} bytes, this one has {size:,}",
                                self._limit)  # fmt: skip
        return text


class _Lines:
    """Newline-delimited JSON; empty lines are nothing."""

    def __init__(self, limit: int) -> None:
        self._text = _Text(limit)

    def feed(self, data: bytes) -> list[Item]:
        *ended, rest = data.split(b"\n")
        items = []
        for line in ended:
            self._text.add(line)
            items.append(self._text.take())
        self._text.add(rest)
        return [item for item in items if item]

    def finish(self) -> list[Item]:
        item = self._text.take()
        return [item] if item else []


class _Array:
    """Elements are what stands between commas at the first level; what they hold does not matter."""

    def __init__(self, limit: int) -> None:
        self._text = _Text(limit)
        self._depth = 0
        self._quoted = self._escaped = self._some = self._ended = False

    def feed(self, data: bytes) -> list[Item]:
        if self._ended:
            return self._after(data)
        items: list[Item] = []
        at = 0 if self._depth else 1  # behind the bracket that begins the array
        for place in self._boundaries(data):
            self._text.add(data[at:place])
            item = self._text.take()
            closing = data[place] != _COMMA
            if item or self._some or not closing:
                items.append(item or MalformedJson("an element of the array is empty"))
            self._some = True
            at = place + 1
            if closing:
                self._ended = True
                return items + self._after(data[at:])
        self._text.add(data[at:])
        return items

    def _boundaries(self, data: bytes) -> list[int]:
        """Where elements end in ``data``: places of commas at the first level, and of the bracket that ends all."""
        plain = b" " + data[1:] if self._escaped else data
        if b"\\" in plain:
            plain = _ESCAPED.sub(b"  ", plain)
        self._escaped = plain.endswith(b"\\")
        array: NDArray[np.uint8] = np.frombuffer(plain, np.uint8)
        places = np.flatnonzero(_STRUCTURAL[array])
        signs = array[places]
        quotes = np.cumsum(signs == _QUOTE) + self._quoted
        outside = quotes & 1 == 0
        depths = np.cumsum(_DEPTH[signs] * outside, dtype=np.int64) + self._depth
        if len(places):
            self._quoted, self._depth = bool(quotes[-1] & 1), int(depths[-1])
        ends = outside & (((signs == _COMMA) & (depths == 1)) | (depths <= 0))
        return [int(place) for place in places[ends]]

    def _after(self, data: bytes) -> list[Item]:
        return [MalformedJson("there is something after the end of the array")] if data.strip(_SPACE) else []

    def finish(self) -> list[Item]:
        if self._ended:
            return []
        return [MalformedJson("the array does not end: the body stops in the middle of it")]
