"""Ready spaces, compiled, against full predictions of their architectures.

Spaces are restricted so that tests are fast; what is left still has every kind of choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphs import prepare, write_json
from graphs.search_spaces import SearchSpace, assemble, ready_space
from predictors import Predictor
from predictors.compiled import CompiledSpace, Limits, compile_space
from predictors.compiled.space import draw_rows

#: What is left of a space, by the beginning of layers' names, and the sizes that it needs.
SPACES: dict[str, tuple[dict[str, list[str]], dict[str, int]]] = {
    "ofa-mobilenet-v3": (
        {"resolution": ["128", "160"], "width": ["10", "12"], "block1": ["kernel3-expand3", "kernel5-expand6"],
         "block3": ["kernel7-expand4"], "block4": ["kernel3-expand6"], "depth4": ["2", "3"], "depth3": ["4"]}, {},
    ),
    "proxylessnas": ({"block1": ["3x3_mb3", "7x7_mb6"], "block4": ["5x5_mb6"]}, {}),
    "fbnet": (
        {"tbs1": ["k3_e1"], "tbs2": ["k3_e3", "k5_e1_g2"], "tbs5": ["k3_e6"], "tbs6": ["k5_e1"], "tbs7": ["skip"]}, {},
    ),
    "ofa-resnet-50": (
        {"resolution": ["128"], "width_stem": ["100"], "width_in": ["65", "80"], "width1": ["65", "100"],
         "width2": ["80"], "width3": ["65"], "width4": ["100"], "depth3": ["1"]}, {},
    ),
    "autoformer-small": ({"hidden": ["320", "448"], "encoder1": ["heads5-ratio30", "heads7-ratio40"]}, {}),
    "bert-supernet": (
        {"hidden": ["256", "384"], "depth": ["4", "6"],
         "encoder": ["heads4-ratio2", "heads6-ratio4", "heads4-ratio3"]}, {"sequence": 48},
    ),
    "nas-bench-201": ({"edge3": ["skip_connect", "none"], "edge1": ["nor_conv_3x3"], "edge2": ["avg_pool_3x3"]}, {}),
}  # fmt: skip


def restricted(name: str) -> SearchSpace:
    space, wanted = ready_space(name), SPACES[name][0]
    choices = {}
    for layer in space.layers:
        for beginning, kept in wanted.items():
            there = [choice.name for choice in layer.choices]
            if layer.name.startswith(beginning) and set(kept) <= set(there):
                skip = [c for c in there if c == "skip" and c not in kept]
                choices[layer.name] = [*kept, *skip]
    return space.restricted(choices)


@pytest.fixture(scope="module", params=sorted(SPACES))
def compiled(request: Any, predictor: Predictor) -> CompiledSpace:
    name = request.param
    # NAS-Bench-201 has as many states as architectures: 15,625 are too many, and so are 8 here.
    limits = Limits(samples=6, architectures=7) if name == "nas-bench-201" else Limits(samples=6)
    return compile_space(predictor, restricted(name), dims=SPACES[name][1], limits=limits)


def test_rows_cost_what_full_predictions_say(compiled: CompiledSpace, predictor: Predictor) -> None:
    """Full predictions go the way of a request: the graph as JSON, read, bound, inferred, lowered."""
    space = compiled.space
    rows = draw_rows(space, 8, 99, [[0] * len(space.layers), [n - 1 for n in space.choices]])
    told = compiled.predict(rows, 0.8)
    for i, row in enumerate(rows.tolist()):
        graph = assemble(space, row, dims=SPACES[space.name][1])
        full = predictor.predict(prepare(write_json(graph)), confidence=0.8)
        assert full.energy_mj is not None and told.energy_mj is not None and full.latency_ms.upper is not None
        assert told.energy_lower_mj is not None and told.energy_upper_mj is not None
        assert told.latency_ms[i] == pytest.approx(full.latency_ms.value, rel=5e-3)
        assert told.latency_lower_ms[i] == pytest.approx(full.latency_ms.lower, rel=5e-3)
        assert told.latency_upper_ms[i] == pytest.approx(full.latency_ms.upper, rel=5e-3)
        assert told.energy_mj[i] == pytest.approx(full.energy_mj.value, rel=5e-3)
        assert told.energy_upper_mj[i] == pytest.approx(full.energy_mj.upper, rel=5e-3)
        assert told.peak_memory_bytes[i] == pytest.approx(full.peak_memory_bytes, rel=0.25)
        assert bool(told.out_of_distribution[i]) == full.out_of_distribution


def test_the_error_is_measured_and_small(compiled: CompiledSpace) -> None:
    errors = compiled.errors
    assert errors is not None and errors.samples == 6
    assert errors.latency_mean < 1e-3 and errors.latency_max < 1e-2
    assert errors.energy_mean is not None and errors.energy_mean < 1e-3
    assert errors.memory_mean < 0.1


def test_the_mode_is_told(compiled: CompiledSpace) -> None:
    expected = "enumerated" if compiled.space.name == "nas-bench-201" else "chain"
    assert compiled.mode == expected
    assert 1 <= compiled.architectures <= compiled.space.encodings
    if expected == "chain":
        assert compiled.report["lowered"] < compiled.architectures


def test_choices_of_layers_that_are_not_active_change_nothing(predictor: Predictor) -> None:
    space = restricted("bert-supernet")
    compiled = compile_space(predictor, space, dims=SPACES["bert-supernet"][1], limits=Limits(samples=2))
    first = dict.fromkeys((layer.name for layer in space.layers if layer.when is None), 0)
    inactive = [layer.name for layer in space.layers if layer.when is not None and len(layer.choices) > 1]
    rows = np.array([space.row({**first, inactive[-1]: choice}) for choice in (0, 1)])
    told = compiled.predict(rows)
    assert told.latency_ms[0] == told.latency_ms[1] and told.peak_memory_bytes[0] == told.peak_memory_bytes[1]
