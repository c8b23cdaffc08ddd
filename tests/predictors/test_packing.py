"""Predictors as single files, to be shipped."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from graphs.spaces import sample
from predictors import CorruptPredictor, Predictor, TrainedPredictor
from predictors._boosting import rounded
from predictors.packing import pack

NOTE = {"name": "world", "note": "made up"}


@pytest.fixture(scope="module")
def packed(trained: TrainedPredictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    version, data = pack(trained.predictor, NOTE, ("reference-0a0a0a0a",))
    assert (version, data) == pack(trained.predictor, NOTE, ("reference-0a0a0a0a",))  # whoever packs it, whenever
    file = tmp_path_factory.mktemp("packed") / "predictor.zip"
    file.write_bytes(data)
    assert Predictor.load(file).version == version
    return file


def test_it_says_nearly_the_same(trained: TrainedPredictor, packed: Path) -> None:
    loaded = Predictor.load(packed)
    for family in ("resnet", "vit", "elementwise"):
        graph = sample(family, 4)
        before, after = (p.predict(graph) for p in (trained.predictor, loaded))
        assert after.latency_ms.value == pytest.approx(before.latency_ms.value, rel=1e-4)
        assert after.latency_ms.lower == pytest.approx(before.latency_ms.lower, rel=1e-4)
        assert after.out_of_distribution == before.out_of_distribution
        assert (after.flops, after.peak_memory_bytes) == (before.flops, before.peak_memory_bytes)


def test_it_says_whose_it_is(trained: TrainedPredictor, packed: Path) -> None:
    graph = sample("resnet", 4)
    told = Predictor.load(packed).predict(graph).to_json()
    assert told["provenance"]["origin"] == "reference"
    assert told["provenance"]["tables"] == ["reference-0a0a0a0a"]
    assert told["provenance"]["predictor"].startswith("reference-")
    assert told["warnings"][0] == "made up"
    own = trained.predictor.predict(graph).to_json()
    assert own["provenance"]["origin"] == "own"
    assert "made up" not in own["warnings"]


def test_it_is_much_smaller(trained: TrainedPredictor, packed: Path, tmp_path: Path) -> None:
    trained.save(tmp_path / "folder")
    folder = sum(file.stat().st_size for file in (tmp_path / "folder").iterdir())
    assert packed.stat().st_size < folder / 5


def test_damage_is_noticed(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    file = tmp_path / "predictor.zip"
    file.write_bytes(whole[:1000])
    with pytest.raises(CorruptPredictor):
        Predictor.load(file)
    with zipfile.ZipFile(packed) as archive:
        [arrays] = [i for i in archive.infolist() if i.filename == "arrays.npz"]
        damaged = bytearray(whole)
        damaged[arrays.header_offset + arrays.compress_size // 2] ^= 0xFF
    file.write_bytes(damaged)
    with pytest.raises(CorruptPredictor):
        Predictor.load(file)
    shutil.copy(packed, file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("something", b"else")
    with pytest.raises(CorruptPredictor, match="no predictor"):
        Predictor.load(file)


def test_numbers_are_rounded_to_the_nearest() -> None:
    values = np.array([1.0, 1.0 + 2**-12, 1.0 + 3 * 2**-12, -0.1, 1e-20, 0.0, np.nan, np.inf], dtype=np.float32)
    short = rounded(values, 11)
    assert short[0] == 1.0 and short[1] in (1.0, 1.0 + 2**-11) and short[5] == 0.0
    assert np.isnan(short[6]) and np.isinf(short[7])
    known = np.isfinite(values)
    assert np.allclose(short[known], values[known], rtol=2**-12, atol=0.0)
