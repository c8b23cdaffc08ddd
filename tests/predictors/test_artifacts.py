"""Predictors on disk: the same after loading, refused when damaged or made by other code."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs.spaces import sample
from predictors import CorruptPredictor, IncompatiblePredictor, Predictor, TrainedPredictor
from predictors.artifacts import ARRAYS_FILE, MANIFEST_FILE


@pytest.fixture(scope="module")
def saved(trained: TrainedPredictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predictors") / "v0007-0123abcd"
    trained.save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / saved.name))


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest."""
    file = folder / MANIFEST_FILE
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def rewrite(folder: Path, name: str, data: bytes) -> None:
    """Change a file and the manifest with it, as someone would who wants it to be believed."""
    (folder / name).write_bytes(data)
    facts = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    edit(folder, lambda m: m["files"].update({name: facts}))


def test_loading_gives_the_same_predictor(trained: TrainedPredictor, saved: Path) -> None:
    loaded = Predictor.load(saved)
    assert loaded.version == "v0007-0123abcd"
    for family in ("resnet", "vit", "elementwise"):
        graph = sample(family, 4)
        before, after = (p.predict(graph, detail="kernels").to_json() for p in (trained.predictor, loaded))
        assert after["provenance"].pop("predictor") == "v0007-0123abcd"
        before["provenance"].pop("predictor")
        assert before == after
    assert loaded.report == json.loads(json.dumps(dict(trained.report)))


def test_nothing_is_pickled(saved: Path) -> None:
    names = {file.name for file in saved.iterdir()}
    assert {MANIFEST_FILE, ARRAYS_FILE} < names
    assert {name.rpartition(".")[2] for name in names} == {"json", "npz", "ubj"}
    assert all(b"pickle" not in file.read_bytes() for file in saved.iterdir())


def test_versions_are_never_overwritten(trained: TrainedPredictor, saved: Path) -> None:
    with pytest.raises(FileExistsError, match="never overwritten"):
        trained.save(saved)


def test_unsaved_folders_are_named_by_their_contents(copy: Path) -> None:
    renamed = copy.rename(copy.with_name("anything"))
    assert Predictor.load(renamed).version.startswith("unsaved-")


def test_every_file_is_checked(saved: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted(f for f in saved.iterdir() if f.name != MANIFEST_FILE)):
        folder = Path(shutil.copytree(saved, tmp_path / str(i)))
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        (folder / file.name).write_bytes(data)
        with pytest.raises(CorruptPredictor, match="not what its manifest describes"):
            Predictor.load(folder)
        (folder / file.name).unlink()
        with pytest.raises(CorruptPredictor, match="missing"):
            Predictor.load(folder)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CorruptPredictor, match="no predictor in"):
        Predictor.load(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "x"}', '{"schema": 1, "feature_schema": 1, "files": 3}'])
def test_manifests_that_are_none(copy: Path, text: str) -> None:
    (copy / MANIFEST_FILE).write_text(text)
    with pytest.raises(CorruptPredictor, match="not the manifest"):
        Predictor.load(copy)


@pytest.mark.parametrize("name", ["schema", "feature_schema"])
def test_other_schemas_are_refused_with_what_to_do(copy: Path, name: str) -> None:
    edit(copy, lambda m: m.update({name: 99}))
    with pytest.raises(IncompatiblePredictor, match=r"99.*train it again"):
        Predictor.load(copy)


def test_files_outside_the_folder_are_not_read(copy: Path) -> None:
    facts = {"sha256": "", "bytes": 0}
    edit(copy, lambda m: m["files"].update({"../secret": facts}))
    with pytest.raises(CorruptPredictor, match="does not list the files"):
        Predictor.load(copy)


@pytest.mark.parametrize("name", [ARRAYS_FILE, "Add.ubj"])
def test_forged_contents_are_refused(copy: Path, name: str) -> None:
    rewrite(copy, name, b"not what it should be")
    with pytest.raises(CorruptPredictor, match="contradicts itself"):
        Predictor.load(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["regressors"][0].update({"group": "unknown"}),
        lambda m: m["regressors"][0].update({"kinds": ["Add", "Mul"]}),
        lambda m: m["regressors"][0].update({"members": 3}),
        lambda m: m["intervals"].update({"levels": [0.9]}),
        lambda m: m["composition"].update({"surprise": 1.0}),
        lambda m: m.pop("baseline"),
        lambda m: m["target"].update({"threads": 64}),
    ],
)
def test_contradictions_are_refused(copy: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edit(copy, change)
    with pytest.raises(CorruptPredictor, match="contradicts itself"):
        Predictor.load(copy)
