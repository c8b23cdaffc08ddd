"""References: made of what was measured here, and asked for where nothing ever was."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from archgauge.cli import main
from archgauge_client.wire import PredictionResponse
from graphs import prepare
from lookup_tables.references import KERNELS_FILE, PREDICTOR_FILE, REFERENCES_VARIABLE, Reference, list_references
from predictors import Predictor
from service.server import in_background
from service.settings import Settings

Run = Callable[..., str]
RunJson = Callable[..., Any]
NAME = "some-cpu-1t"


@pytest.fixture(scope="module")
def published(profiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a reference of this machine."""
    root = tmp_path_factory.mktemp("references")
    from archgauge.state import open_store

    with open_store(profiled) as store:
        [table] = store.tables()
    assert main(["tables", "publish", table.version, str(root), "--name", NAME, "--data-dir", str(profiled)]) == 0
    return root


@pytest.fixture
def fresh(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of a machine on which nothing was ever profiled."""
    monkeypatch.setenv(REFERENCES_VARIABLE, str(published))
    return tmp_path / "fresh"


@pytest.fixture
def ask(fresh: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Any]]:
    """Runs a command there; returns the JSON that it printed, or what it said on standard error."""

    def command(*line: str, status: int = 0) -> Any:
        capsys.readouterr()
        returned = main([*line, "--data-dir", str(fresh)])
        said = capsys.readouterr()
        assert returned == status, said.err
        return said.err if status else json.loads(said.out) if "--json" in line else said.out

    yield command


def test_a_machine_that_measured_nothing_gets_an_answer(
    ask: Callable[..., Any], run_json: RunJson, squeezenet: str
) -> None:
    [own] = run_json("predict", squeezenet)
    [answer] = ask("predict", "--target", NAME, "--json", squeezenet)
    told, known = (PredictionResponse.model_validate(a).predictions[0] for a in (answer, own))
    assert told.target == known.target
    assert told.latency_ms.value == pytest.approx(known.latency_ms.value, rel=2e-3)
    assert told.provenance.origin == "reference" and known.provenance.origin == "own"
    assert told.provenance.tables[0].startswith("reference-")
    assert "another machine" in told.warnings[0]
    [again] = ask("predict", "--target", told.target, "--json", squeezenet)
    assert again["predictions"] == answer["predictions"]


def test_it_is_said_on_paper(ask: Callable[..., Any], squeezenet: str) -> None:
    text = ask("predict", "--target", NAME, squeezenet)
    assert "from a reference that came with ArchGauge" in text
    assert "measured on 20" in text
    listed = ask("tables", "list")
    assert f"reference '{NAME}'" in listed.replace("\n", " ")


def test_without_a_name_the_way_is_shown(ask: Callable[..., Any], squeezenet: str) -> None:
    said = ask("predict", squeezenet, status=1)
    assert "archgauge profile" in said and NAME in said
    said = ask("predict", "--target", "elsewhere", squeezenet, status=1)
    assert NAME in said


def test_nothing_is_trained_on_or_added_to_a_reference(ask: Callable[..., Any]) -> None:
    [listed] = ask("tables", "list", "--json")
    assert listed["reference"] and listed["manifest"]["counts"]["summaries"] > 50
    assert "no lookup table" in ask("train", "--target", NAME, status=1)
    assert "there is no lookup table" in ask("tables", "export", listed["version"], "out.zip", status=1)
    assert "is a reference" in ask("predictors", "promote", listed["manifest"]["predictor"], status=1)


def test_what_was_measured_here_answers_first(
    published: Path, run_json: RunJson, squeezenet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REFERENCES_VARIABLE, str(published))
    for named, origin in (((), "own"), (("--target", "here"), "own"), (("--target", NAME), "reference")):
        [answer] = run_json("predict", *named, squeezenet)
        assert answer["predictions"][0]["provenance"]["origin"] == origin
    target = answer["predictions"][0]["target"]
    [answer] = run_json("predict", "--target", target, squeezenet)
    assert answer["predictions"][0]["provenance"]["origin"] == "own"
    own, reference = run_json("tables", "list")
    assert (own["reference"], reference["reference"]) == (False, True)


def test_the_service_answers_too(fresh: Path, squeezenet: str) -> None:
    with in_background(Settings(data_dir=fresh)) as url, httpx.Client(base_url=url, timeout=60) as client:
        [target] = client.get("/v1/targets").json()["targets"]
        assert target["aliases"] == [NAME] and target["predictor"].startswith("reference-")
        assert client.get(f"/v1/targets/{NAME}").json() == target
        body = Path(squeezenet).read_bytes()
        answer = client.post("/v1/predictions/onnx", params={"target": NAME}, content=body)
        assert answer.json()["predictions"][0]["provenance"]["origin"] == "reference"
        pinned = {"target": NAME, "predictor": target["predictor"]}
        assert client.post("/v1/predictions/onnx", params=pinned, content=body).status_code == 200
        assert client.post("/v1/predictions/onnx", content=body).status_code == 409
        page = client.get(f"/targets/{target['id']}")
        assert page.status_code == 200 and target["predictor"] in page.text
        assert target["id"] in client.get("/targets").text
        assert client.get("/").status_code == 200


def test_a_damaged_reference_is_no_answer_and_hides_nothing(
    published: Path, ask: Callable[..., Any], squeezenet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(published, tmp_path / "copy"))
    monkeypatch.setenv(REFERENCES_VARIABLE, str(copy))
    (copy / NAME / "predictor.zip").write_bytes(b"PK")
    assert "install the package again" in ask("predict", "--target", NAME, squeezenet, status=1)
    (copy / NAME / "manifest.json").write_text("{}")
    assert NAME not in ask("predict", squeezenet, status=1)


def test_only_measured_tables_with_predictors_are_published(run: Run, tmp_path: Path, run_json: RunJson) -> None:
    version = run_json("tables", "list")[0]["version"]
    for name in ("Big", "../up", "x"):
        assert "cannot name" in run("tables", "publish", version, str(tmp_path), "--name", name, status=1)
    assert list(tmp_path.iterdir()) == []


SHIPPED = list_references([Path(__file__).parents[2] / "lookup_tables/reference"])


@pytest.mark.parametrize("reference", SHIPPED, ids=lambda reference: reference.name)
def test_what_is_shipped_can_be_used(reference: Reference, squeezenet: str) -> None:
    """By this version of the code; make it again with `archgauge tables publish` where it cannot."""
    predictor = Predictor.load(reference.file(PREDICTOR_FILE))
    assert (predictor.version, predictor.target) == (reference.predictor_version, reference.target)
    assert predictor.predict(prepare(Path(squeezenet).read_bytes())).provenance.origin == "reference"
    assert reference.file(KERNELS_FILE).stat().st_size < 5 * 2**20
    assert sum(file.stat().st_size for file in reference.folder.iterdir()) < 16 * 2**20
