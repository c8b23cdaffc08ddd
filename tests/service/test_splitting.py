"""Cutting streams into requests: equal to parsing the whole, however the bytes arrive."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from service.batch.splitting import Item, Splitter
from service.errors import BodyTooLarge, MalformedJson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\[]{},:\n é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\,', max_size=3), inner, max_size=3),
    max_leaves=12,
)


def split(data: bytes, sizes: list[int], limit: int = 10_000) -> list[Item]:
    splitter = Splitter(limit)
    items, at = [], 0
    for size in [*sizes, len(data)]:
        items += splitter.feed(data[at : at + size])
        at += size
    return items + splitter.finish()


def parsed(items: list[Item]) -> list[object]:
    return [json.loads(item) for item in items if isinstance(item, bytes)]


@given(st.lists(VALUES), st.lists(st.integers(0, 7)), st.sampled_from([None, 1]))
def test_arrays(values: list[object], sizes: list[int], indent: int | None) -> None:
    text = json.dumps(values, ensure_ascii=False, indent=indent).encode()
    items = split(b" \n" + text + b"\n", sizes)
    assert parsed(items) == values
    assert len(items) == len(values)


@given(st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3)), st.lists(st.integers(0, 7)))
def test_lines(values: list[object], sizes: list[int]) -> None:
    text = b"\r\n\n".join(json.dumps(v).encode() for v in values)
    assert parsed(split(text, sizes)) == values


@given(st.binary(max_size=40), st.lists(st.integers(0, 5)))
def test_the_cuts_do_not_depend_on_the_pieces(data: bytes, sizes: list[int]) -> None:
    for text in (data, b"[" + data):
        whole, pieces = split(text, []), split(text, sizes)
        assert [i if isinstance(i, bytes) else type(i) for i in whole if not _after(i)] == [
            i if isinstance(i, bytes) else type(i) for i in pieces if not _after(i)
        ]


def _after(item: Item) -> bool:
    """What follows an array is complained about once per piece."""
    return isinstance(item, MalformedJson) and "after the end" in str(item)


def test_what_is_too_large_leaves_its_place_and_nothing_in_memory() -> None:
    splitter = Splitter(limit=100)
    assert splitter.feed(b'[{"a": 1}, {"b": "') == [b'{"a": 1}']
    for _ in range(50):
        assert splitter.feed(b"x" * 1000) == []
    large, last = splitter.feed(b'"}, {"c": 2}]')
    assert isinstance(large, BodyTooLarge) and large.limit == 100
    assert last == b'{"c": 2}'
    assert splitter.finish() == []
    lines = split(b"x" * 500 + b"\n{}\n", [50] * 12, limit=100)
    assert isinstance(lines[0], BodyTooLarge) and lines[1:] == [b"{}"]


def test_broken_arrays_say_so_at_the_end() -> None:
    for text in (b"[{}", b"[{},", b'[{"a": "'):
        assert isinstance(split(text, [])[-1], MalformedJson)
    empty, element = split(b"[,{}]", [])
    assert isinstance(empty, MalformedJson) and element == b"{}"
    assert split(b"[]", []) == split(b" [ ] ", [1]) == split(b"", []) == split(b" \n ", []) == []
    assert isinstance(split(b"[{}] {}", [])[1], MalformedJson)
