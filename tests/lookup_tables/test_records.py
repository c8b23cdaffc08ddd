import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_tables import InvalidRecord, Measurement

times = st.floats(min_value=1e-3, max_value=1e9, allow_nan=False)


def test_records_survive_json(measurements: list[Measurement]) -> None:
    for m in measurements:
        again = Measurement.from_json(json.loads(json.dumps(m.to_json())))
        assert again.kernel == m.kernel
        assert again.latency_us == m.latency_us
        assert again.blocks_us == pytest.approx(m.blocks_us, abs=1e-4)
        assert (again.error, again.split, again.settled) == (m.error, m.split, m.settled)


@given(times, st.lists(times, max_size=5), st.booleans(), st.text())
def test_any_values_survive_json(latency: float, blocks: list[float], settled: bool, context: str) -> None:
    rounded = tuple(round(block, 4) for block in blocks)
    m = Measurement("isolated", latency_us=latency, blocks_us=rounded, settled=settled, context=context)
    assert Measurement.from_json(json.loads(json.dumps(m.to_json()))) == m


@pytest.mark.parametrize(
    "data",
    [
        {"mode": "isolated"},
        {"mode": "isolated", "latency_us": 0.0},
        {"mode": "isolated", "latency_us": -3.0},
        {"mode": "isolated", "latency_us": float("nan")},
        {"mode": "guessed", "latency_us": 1.0},
        {"mode": "isolated", "error": "tired"},
        {"mode": "isolated", "latency_us": 1.0, "split": "test"},
        {"latency_us": 1.0},
    ],
)
def test_impossible_records_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        Measurement.from_json(data)


def test_fields_of_later_versions_are_ignored() -> None:
    assert Measurement.from_json({"mode": "isolated", "latency_us": 1.0, "humidity": 0.4}).latency_us == 1.0
