"""The lookup table of a search space, as a search uses it."""

from __future__ import annotations

import httpx
import pytest

from archgauge_client import Client, LatencyTable

TABLE = {
    "layers": [
        {"name": "first", "choices": ["k3", "k5"], "latency_ms": [1.0, 2.5], "energy_mj": [10.0, 20.0]},
        {"name": "second", "choices": ["skip", "k3", "k7"], "latency_ms": [0.0, 0.5, 1.5],
         "energy_mj": [0.0, 3.0, 8.0]},
    ],
    "fixed_latency_ms": 0.25,
    "fixed_energy_mj": 1.0,
    "error": {"mean": 0.002, "max": 0.01},
}  # fmt: skip


@pytest.fixture
def table() -> LatencyTable:
    return LatencyTable.model_validate(TABLE)


def test_sums_by_position_and_by_name(table: LatencyTable) -> None:
    assert table.latency_ms([1, 2]) == table.latency_ms(["k5", "k7"]) == 0.25 + 2.5 + 1.5
    assert table.latency_ms({"second": 1, "first": "k3"}) == 0.25 + 1.0 + 0.5
    assert table.energy_mj([0, 2]) == 1.0 + 10.0 + 8.0
    unmetered = table.model_copy(update={"fixed_energy_mj": None})
    assert unmetered.energy_mj([0, 2]) is None


@pytest.mark.parametrize("choices", [[0], [0, 3], [-1, 0], ["k9", 0], {"first": 0}, {"first": 0, "third": 0}])
def test_what_is_no_architecture_is_refused(table: LatencyTable, choices: list[int]) -> None:
    with pytest.raises(ValueError, match="layer"):
        table.latency_ms(choices)


def test_the_expectation_is_linear_in_the_weights(table: LatencyTable) -> None:
    assert table.expected_latency_ms([[0, 1], [0, 0, 1]]) == table.latency_ms([1, 2])
    mixed = table.expected_latency_ms([[0.5, 0.5], [0.2, 0.3, 0.5]])
    assert mixed == pytest.approx(0.25 + 1.75 + 0.15 + 0.75)
    with pytest.raises(ValueError):
        table.expected_latency_ms([[1.0], [1.0]])


class Dual:
    """A number with its derivatives, which is all that a tensor of a framework needs to be here."""

    def __init__(self, value: float, slopes: tuple[float, ...]) -> None:
        self.value, self.slopes = value, slopes

    def __mul__(self, factor: float) -> Dual:
        return Dual(self.value * factor, tuple(s * factor for s in self.slopes))

    def __radd__(self, other: float) -> Dual:
        return Dual(self.value + other, self.slopes)

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, tuple(a + b for a, b in zip(self.slopes, other.slopes, strict=True)))


def test_its_gradient_is_the_table(table: LatencyTable) -> None:
    weights = [[Dual(0.2, tuple(float(i == k) for k in range(5))) for i in row] for row in ([0, 1], [2, 3, 4])]
    assert table.expected_latency_ms(weights).slopes == (1.0, 2.5, 0.0, 0.5, 1.5)


def test_rows_are_of_equal_length(table: LatencyTable) -> None:
    assert table.rows(fill=9.0) == [[1.0, 2.5, 9.0], [0.0, 0.5, 1.5]]


def test_the_client_fetches_it() -> None:
    def service(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/search-spaces/a/b/lookup-table" and b"a%2Fb" in request.url.raw_path
        assert request.url.params.get_list("fix") == ["resolution=224"] and request.url.params["target"] == "phone"
        return httpx.Response(200, json=TABLE)

    with Client("http://service", transport=httpx.MockTransport(service)) as client:
        table = client.latency_table("a/b", {"resolution": "224"}, target="phone")
    assert [layer.name for layer in table.layers] == ["first", "second"]
