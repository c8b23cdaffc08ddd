"""Values of options, bad usage, and what is said about errors."""

from pathlib import Path

import click
import pytest

from archgauge import options
from archgauge.cli import COMMANDS, main
from archgauge.errors import explain


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600), ("75s", 75), ("1h30m", 5400), ("90", 90), ("0.5m", 30), ("1h1m1s", 3661)]
)
def test_durations(text: str, seconds: float) -> None:
    assert options.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5s", "ten", "5 parsecs", "10ms", "inf", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.duration(text)


def test_bindings() -> None:
    assert options.dimension("sequence=128") == ("sequence", 128)
    assert options.shape("x=1,3,320,320") == ("x", (1, 3, 320, 320))
    assert options.shape("a=b=7") == ("a=b", (7,))


@pytest.mark.parametrize("text", ["sequence", "=3", "sequence=", "sequence=0", "sequence=-1", "sequence=1.5"])
def test_what_binds_no_dimension(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.dimension(text)


@pytest.mark.parametrize("text", ["x", "x=", "x=1,,3", "=1,2", "x=1,b"])
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.shape(text)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize(
    "line",
    [
        ["nonsense"], ["predict"], ["profile", "--budget", "soon"], ["predict", "m.onnx", "--batch-size", "0"],
        ["lowering", "nonsense"], ["measure", "m.onnx", "--shape", "x"], ["serve", "--port", "70000"],
    ],
)  # fmt: skip
def test_bad_usage_is_status_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    assert "Usage: archgauge" in capsys.readouterr().err


def test_failure_is_status_1_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lowering", "check", str(tmp_path / "missing.onnx")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "missing.onnx: No such file or directory" in said.err
    assert "Traceback" not in said.err


def test_a_missing_extra_is_named() -> None:
    error = ModuleNotFoundError("No module named 'sqlalchemy.orm'", name="sqlalchemy.orm")
    assert "archgauge[serve]" in (explain(error) or "")
    assert explain(ModuleNotFoundError("No module named 'other'", name="other")) is None


def test_defects_are_not_explained_away() -> None:
    assert explain(KeyError("x")) is None
    assert explain(AssertionError()) is None


def test_data_dir_may_stand_before_or_after_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.group()
    @options.root_data_dir
    def root(data_dir: Path | None) -> None: ...

    @root.command()
    @options.data_dir
    def show(data_dir: Path) -> Path:
        return data_dir

    def chosen(*line: str) -> Path:
        result = root.main(args=line, standalone_mode=False)
        assert isinstance(result, Path)
        return result

    monkeypatch.delenv("ARCHGAUGE_DATA_DIR", raising=False)
    assert chosen("--data-dir", str(tmp_path / "a"), "show") == tmp_path / "a"
    assert chosen("--data-dir", str(tmp_path / "a"), "show", "--data-dir", str(tmp_path / "b")) == tmp_path / "b"
    assert chosen("show").name == "archgauge"
    monkeypatch.setenv("ARCHGAUGE_DATA_DIR", str(tmp_path / "c"))
    assert chosen("show") == tmp_path / "c"
