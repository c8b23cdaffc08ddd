"""Compilation where it is hard: neighbours that matter, lengths of runs, spaces that are no chains, wrong rows."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphs import Graph, InvalidChoices, InvalidSearchSpace, infer
from graphs.search_spaces import Walker, assemble, read_search_space, ready_space
from predictors import CorruptPredictor, NoLookupTable, Predictor, UnpriceableKernels
from predictors.compiled import (
    CompiledSpace,
    Limits,
    compile_space,
    load_compiled,
    save_compiled,
    space_table,
)
from predictors.compiled.space import draw_rows

CONV = {
    "inputs": [{"name": "x", "shape": ["n", "c", "h", "w"]}],
    "parameters": [{"name": "w", "dtype": "float32", "shape": ["out", "c", "k", "k"]}],
    "nodes": [{"op": "Conv", "inputs": ["x", "w"], "outputs": ["y"],
               "attributes": {"pads": ["=k // 2", "=k // 2", "=k // 2", "=k // 2"]}}],
    "outputs": ["y"],
}  # fmt: skip
RESIDUAL = {**CONV, "nodes": [*CONV["nodes"], {"op": "Add", "inputs": ["y", "x"], "outputs": ["z"]}], "outputs": ["z"]}


def unary(op: str, **attributes: Any) -> dict[str, Any]:
    node = {"op": op, "inputs": ["x"], "outputs": ["y"], "attributes": attributes}
    return {"inputs": CONV["inputs"], "nodes": [node], "outputs": ["y"]}


#: Whether a Relu or a sum disappears into a convolution, and where layouts change, depends on neighbours.
FUSING: dict[str, Any] = {
    "name": "fusing",
    "opset": {"": 17},
    "inputs": [{"name": "image", "shape": ["batch", 3, 56, 56]}],
    "blocks": {"conv": CONV, "residual": RESIDUAL, "relu": unary("Relu"), "erf": unary("Erf"),
               "pool": unary("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])},
    "layers": [{"name": "stem", "block": "conv", "with": {"out": 32, "k": 3}}, *(
        {"name": f"layer{i}", "with": {"out": 32},
         "choices": [{"name": "conv3", "block": "conv", "with": {"k": 3}}, {"name": "relu", "block": "relu"},
                     {"name": "residual", "block": "residual", "with": {"k": 1}}, {"name": "erf", "block": "erf"},
                     {"name": "pool", "block": "pool"}, {"name": "skip", "skip": True}]}
        for i in range(4)
    )],
}  # fmt: skip


def compare(compiled: CompiledSpace, predictor: Predictor, rows: np.ndarray[Any, Any]) -> None:
    told = compiled.predict(rows)
    for i, row in enumerate(rows.tolist()):
        full = predictor.predict(assemble(compiled.space, row))
        assert told.latency_ms[i] == pytest.approx(full.latency_ms.value, rel=1e-4), row


@pytest.fixture(scope="module")
def fusing(predictor: Predictor) -> CompiledSpace:
    return compile_space(predictor, read_search_space(FUSING), limits=Limits(samples=8))


def test_what_fuses_with_neighbours_is_priced_as_it_fuses(fusing: CompiledSpace, predictor: Predictor) -> None:
    assert fusing.mode == "chain" and fusing.report["states"] > 1
    every = np.array(list(product(*(range(n) for n in fusing.space.choices))))
    compare(fusing, predictor, every[::13])


def test_a_plain_table_could_not_say_that(fusing: CompiledSpace) -> None:
    """The sum over layers is off where the compiled space is not."""
    table = space_table(fusing)
    assert fusing.errors is not None and fusing.errors.latency_max < 1e-4 < table.error_mean


def test_long_and_short_runs(predictor: Predictor) -> None:
    """Sizes that differ so much that caches hold one run and not the other."""
    space = read_search_space({
        **FUSING,
        "inputs": [{"name": "image", "shape": ["batch", 3, "side", "side"]}],
        "layers": [{"name": "side", "values": {"side": [14, 28, 112]}}, *FUSING["layers"][:2]],
    })  # fmt: skip
    compiled = compile_space(predictor, space, batch_size=2, limits=Limits(samples=4))
    rows = np.array(list(product(*(range(n) for n in space.choices))))
    told = compiled.predict(rows)
    for i, row in enumerate(rows.tolist()):
        full = predictor.predict(assemble(space, row, batch_size=2))
        assert told.latency_ms[i] == pytest.approx(full.latency_ms.value, rel=1e-4)


@pytest.mark.parametrize("limits", [Limits(transitions=10, samples=3), Limits(transitions=10, encodings=0, samples=3)])
def test_spaces_that_are_no_chains(predictor: Predictor, limits: Limits) -> None:
    space = read_search_space({**FUSING, "layers": FUSING["layers"][:3]})
    compiled = compile_space(predictor, space, limits=limits)
    assert compiled.mode == ("enumerated" if limits.encodings else "direct")
    assert compiled.errors is not None and compiled.errors.latency_max < 1e-5 and compiled.errors.memory_max < 1e-6
    compare(compiled, predictor, draw_rows(space, 5, 7))


def test_tables_of_layers_and_choices(predictor: Predictor) -> None:
    """Runs of nearly one length, so that costs nearly add up: the sum over layers is the prediction."""
    space = ready_space("autoformer-small").restricted({"hidden": ["320"], "depth": ["12", "13"]})
    compiled = compile_space(predictor, space, limits=Limits(samples=3))
    table = space_table(compiled, {"depth": "12"})
    assert table.error_max < 1e-3
    assert [len(values) for values in table.latency_ms] == [1, 1, 1, *[9] * 14, 1]
    row = space.row({"encoder3": "heads7-ratio40"})
    parts = [values[0 if len(values) == 1 else c] for values, c in zip(table.latency_ms, row, strict=True)]
    told = compiled.predict(np.array([row]))
    assert table.fixed_latency_ms + sum(parts) == pytest.approx(told.latency_ms[0], rel=1e-3)
    assert table.energy_mj is not None and table.fixed_energy_mj is not None and told.energy_mj is not None
    energies = [values[0 if len(values) == 1 else c] for values, c in zip(table.energy_mj, row, strict=True)]
    assert table.fixed_energy_mj + sum(energies) == pytest.approx(told.energy_mj[0], rel=1e-3)
    encoder = table.latency_ms[3]
    assert (np.diff(encoder.reshape(3, 3), axis=0) > 0).all() and (np.diff(encoder.reshape(3, 3), axis=1) > 0).all()
    assert table.latency_ms[15] == pytest.approx(0.0, abs=1e-6), "the thirteenth layer is not active"


def test_tables_of_enumerated_spaces_are_means(predictor: Predictor) -> None:
    space = read_search_space({**FUSING, "layers": FUSING["layers"][:3]})
    chain = compile_space(predictor, space, limits=Limits(samples=2))
    listed = compile_space(predictor, space, limits=Limits(samples=2, transitions=1))
    one, other = space_table(chain), space_table(listed)
    for mine, theirs in zip(one.latency_ms[1:], other.latency_ms[1:], strict=True):
        assert mine - mine.mean() == pytest.approx(theirs - theirs.mean(), rel=0.02, abs=2e-3)
    with pytest.raises(NoLookupTable, match="no chain"):
        space_table(compile_space(predictor, space, limits=Limits(samples=2, transitions=1, encodings=0)))


@pytest.mark.parametrize(
    "limits",
    [Limits(samples=2), Limits(samples=2, transitions=1), Limits(samples=2, transitions=1, encodings=1)],
    ids=["chain", "enumerated", "direct"],
)
def test_what_is_saved_is_what_is_loaded(predictor: Predictor, tmp_path: Path, limits: Limits) -> None:
    space = read_search_space({**FUSING, "layers": FUSING["layers"][:3]})
    compiled = compile_space(predictor, space, limits=limits)
    file = tmp_path / "compiled.npz"
    file.write_bytes(save_compiled(compiled))
    again = load_compiled(file, predictor, space)
    rows = draw_rows(space, 20, 3)
    assert again.predict(rows).latency_upper_ms == pytest.approx(compiled.predict(rows).latency_upper_ms, rel=1e-5)
    assert (again.errors, again.mode, again.architectures) == (compiled.errors, compiled.mode, compiled.architectures)
    with pytest.raises(CorruptPredictor, match="another space"):
        load_compiled(file, predictor, read_search_space(FUSING))
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(CorruptPredictor, match="delete it"):
        load_compiled(file, predictor, space)


@pytest.mark.parametrize(
    ("rows", "message"),
    [(np.zeros((2, 4), np.int64), "5 layers"), (np.zeros(5, np.int64), "5 layers"), (np.zeros((2, 5)), "float64"),
     (np.array([[0, 0, 0, 0, 0], [0, 0, 6, 0, 0]]), "row 1: layer 'layer1' has choices 0 to 5, not 6"),
     (np.array([[0, 0, 0, 0, -1]], np.int8), "not -1")],
)  # fmt: skip
def test_rows_that_name_no_architecture(fusing: CompiledSpace, rows: Any, message: str) -> None:
    with pytest.raises(InvalidChoices, match=message):
        fusing.predict(rows)


def test_no_rows_and_many(fusing: CompiledSpace) -> None:
    assert len(fusing.predict(np.zeros((0, 5), np.uint8))) == 0
    rows = draw_rows(fusing.space, 10_000, 1)
    told = fusing.predict(rows.astype(np.uint8))
    assert (told.latency_ms == fusing.predict(rows).latency_ms).all()
    assert (fusing.predict(rows[5_000:]).latency_ms == told.latency_ms[5_000:]).all()
    with pytest.raises(ValueError, match="confidence"):
        fusing.predict(rows, 0.2)


def test_operators_without_a_price_are_named(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictors.estimates.is_priceable", lambda kind: kind != "Erf")
    with pytest.raises(UnpriceableKernels, match="Erf"):
        compile_space(predictor, read_search_space(FUSING))


def test_blocks_that_cannot_be_inferred_are_named(predictor: Predictor) -> None:
    space = read_search_space({**FUSING, "blocks": {**FUSING["blocks"], "erf": unary("NonZero")}})
    with pytest.raises(InvalidSearchSpace, match=r"layer 'layer0', choice 'erf'.*NonZero"):
        compile_space(predictor, space)


def test_work_can_be_followed_and_stopped(predictor: Predictor) -> None:
    told: list[tuple[float, str]] = []
    compile_space(
        predictor, read_search_space(FUSING), limits=Limits(samples=2),
        progress=lambda share, doing: told.append((share, doing)),
    )  # fmt: skip
    assert [share for share, _ in told] == sorted(share for share, _ in told) and told[-1][0] == 1.0
    assert {"lowering architectures", "pricing kernels", "comparing with full predictions"} <= {t for _, t in told}

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_space(predictor, read_search_space(FUSING), check=stop)


def test_blocks_that_come_again_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(graph: Graph) -> Graph:
        read.append(graph.name)
        return infer(graph)

    monkeypatch.setattr("graphs.search_spaces.pieces.infer", counted)
    space = ready_space("nas-bench-201")
    walker = Walker(space)
    row = [3, 4, 2, 1, 0, 3] + [0] * (len(space.layers) - 6)
    steps = walker.walk(row)
    assert sorted(read) == ["cell"] * 3 + ["classifier"] + ["reduction"] * 2 + ["stem"]
    walker.forget()
    assert walker.walk(row) == steps and len(read) == 14


def test_walking_again_costs_no_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    walker = Walker(read_search_space(FUSING))
    row = (0, 0, 1, 2, 3)
    first = walker.walk(row)
    monkeypatch.setattr("graphs.search_spaces.walking.make_piece", None)
    assert walker.walk(row) == first
