"""The memory of estimates: bounded, keeps what is asked for, counts."""

from __future__ import annotations

from predictors.memory import Memory


def test_what_was_added_is_found_and_counted() -> None:
    memory: Memory[str, int] = Memory(10)
    assert memory.find(["a", "b"]) == [None, None]
    memory.add({"a": 1})
    assert memory.find(["a", "b", "a"]) == [1, None, 1]
    assert memory.usage == (2, 3, 1)
    memory.forget()
    assert memory.find(["a"]) == [None]
    assert memory.usage.entries == 0


def test_it_is_bounded_and_keeps_what_is_asked_for() -> None:
    memory: Memory[int, int] = Memory(100)
    memory.add({-1: -1})
    for i in range(1000):
        memory.add({i: i})
        assert memory.find([-1]) == [-1]
        assert memory.usage.entries <= 101
    assert memory.find([999, 0]) == [999, None]


def test_more_than_fits_at_once_is_no_error() -> None:
    memory: Memory[int, int] = Memory(4)
    memory.add({i: i for i in range(50)})
    assert memory.find([49]) == [49]
